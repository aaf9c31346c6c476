import com.example.clientele.ApiClient;
import com.example.clientele.ApiException;
import com.example.clientele.api.ClientsApi;
import com.example.clientele.model.CreateClientRequest;
import com.example.clientele.model.SimpleResponse;
import com.example.clientele.model.UpdateClientRequest;
import java.util.List;
import java.util.Map;

/** Registers clients, updates one, reads why an update is rejected, and pages through the list. */
class Main {
  public static void main(String[] args) throws Exception {
    var connection = new ApiClient();
    connection.updateBaseUri(System.getenv("CLIENTELE_URL"));
    connection.setRequestInterceptor(
        request -> request.header("Authorization", "Bearer " + System.getenv("CLIENTELE_TOKEN")));
    var api = new ClientsApi(connection);

    var created = api.createClientWithHttpInfo(ClientsApi.APICreateClientRequest.newBuilder()
        .createClientRequest(new CreateClientRequest().clientId("urn:example:a/../b app+1@example.com").name("Java")
            .redirectUris(List.of("https://app.example.com/callback")))
        .build());
    var clientId = created.getData().getData().getClientId();
    var revision = created.getHeaders().get("etag").get(0);
    System.out.println("created " + revision);

    var updated = api.updateClientWithHttpInfo(ClientsApi.APIUpdateClientRequest.newBuilder()
        .clientId(clientId).ifMatch(revision)
        .updateClientRequest(new UpdateClientRequest().logoUrl("https://app.example.com/logo.png")
            .responseTypes(List.of("code")).accessTokenLifetime(900).labels(Map.of("example.com/tier", "gold")))
        .build());
    var record = updated.getData().getData();
    System.out.println("updated " + updated.getHeaders().get("etag").get(0) + " " + record.getLogoUrl());
    System.out.println("record " + record.getResponseTypes() + " " + record.getAccessTokenLifetime() + " "
        + record.getLabels().get("example.com/tier"));

    try {
      api.updateClient(ClientsApi.APIUpdateClientRequest.newBuilder()
          .clientId(clientId)
          .updateClientRequest(new UpdateClientRequest()
              .redirectUris(List.of("https://app.example.com/callback#top")).grantTypes(List.of("authorization_code", "magic")))
          .build());
    } catch (ApiException rejection) {
      var rejected = connection.getObjectMapper().readValue(rejection.getResponseBody(), SimpleResponse.class);
      for (var violation : rejected.getViolations()) {
        System.out.println("rejected " + violation.getField() + " " + violation.getRule());
      }
    }

    for (var n = 0; n < 4; n++) {
      api.createClient(ClientsApi.APICreateClientRequest.newBuilder()
          .createClientRequest(new CreateClientRequest().name("Listed " + n).grantTypes(List.of("client_credentials")))
          .build());
    }
    var listed = 0;
    String after = null;
    do {
      var page = api.listClients(ClientsApi.APIListClientsRequest.newBuilder().name("listed").limit(3).after(after).build());
      listed += page.getItems().size();
      after = page.getNext();
    } while (after != null);
    System.out.println("listed " + listed);
  }
}
