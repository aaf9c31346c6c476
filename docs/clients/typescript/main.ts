// Registers clients, updates one, reads why an update is rejected, and pages through the list.
import createClient from "openapi-fetch";
import type { paths } from "./clientele.js";

const api = createClient<paths>({
  baseUrl: process.env.CLIENTELE_URL,
  headers: { Authorization: `Bearer ${process.env.CLIENTELE_TOKEN}` },
});

const created = await api.POST("/admin/oauth/clients", {
  body: { client_id: "urn:example:a/../b app+1@example.com", name: "TypeScript", redirect_uris: ["https://app.example.com/callback"] },
});
const client_id = created.data?.data?.client_id;
if (!client_id) throw new Error(created.error?.message);
console.log("created", created.response.headers.get("ETag"));

const updated = await api.PUT("/admin/oauth/clients/{client_id}", {
  params: { path: { client_id }, header: { "If-Match": created.response.headers.get("ETag")! } },
  body: {
    logo_url: "https://app.example.com/logo.png",
    response_types: ["code"],
    access_token_lifetime: 900,
    labels: { "example.com/tier": "gold" },
  },
});
console.log("updated", updated.response.headers.get("ETag"), updated.data?.data?.logo_url);
const record = updated.data?.data;
console.log(`record [${record?.response_types}]`, record?.access_token_lifetime, record?.labels?.["example.com/tier"]);

const rejected = await api.PUT("/admin/oauth/clients/{client_id}", {
  params: { path: { client_id } },
  body: { redirect_uris: ["https://app.example.com/callback#top"], grant_types: ["authorization_code", "magic"] },
});
for (const violation of rejected.error?.violations ?? []) console.log("rejected", violation.field, violation.rule);

for (const n of [1, 2, 3, 4]) {
  await api.POST("/admin/oauth/clients", { body: { name: `Listed ${n}`, grant_types: ["client_credentials"] } });
}
let listed = 0;
let after: string | undefined;
do {
  const page = await api.GET("/admin/oauth/clients", { params: { query: { name: "listed", limit: 3, after } } });
  listed += page.data?.items?.length ?? 0;
  after = page.data?.next;
} while (after);
console.log("listed", listed);
