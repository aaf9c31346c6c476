package domain

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const documentURL ClientID = "https://app.example.com/client.json"

// documentOf returns a document with the members of app, no method, and the edits.
func documentOf(edits ...func(*Settings)) MetadataDocument {
	return MetadataDocument{
		URL: documentURL, ClientID: string(documentURL), Digest: "sha-256:1",
		Metadata: sent(append([]func(*Settings){app, methods(AuthNone)}, edits...)...),
	}
}

// documentClient returns the client of an approved document.
func documentClient(t *testing.T) Client {
	t.Helper()
	outcome := testBook(t, Policy{}).RegisterDocument("acme", documentOf(), DocumentPolicy{}).Decide(Facts{}, testNow)
	require.Empty(t, outcome.Findings)
	return outcome.Client
}

func TestTheRulesForDocuments(t *testing.T) {
	edited := func(d MetadataDocument, edit func(*MetadataDocument)) MetadataDocument { edit(&d); return d }
	text := func(f Field, value string) func(*Settings) {
		return func(s *Settings) { v := Text(value); f.Of(s).set(&v) }
	}
	for _, c := range []struct {
		name     string
		document MetadataDocument
		policy   DocumentPolicy
		set      *KeySet
		findings []string
		want     map[Field]any
	}{
		{name: "a document without findings", document: documentOf()},
		{
			name:     "another client_id",
			document: edited(documentOf(), func(d *MetadataDocument) { d.ClientID = "https://app.example.com:443/client.json" }),
			findings: []string{"violation cimd-client-id /client_id"},
		},
		{
			name: "no client_id", document: edited(documentOf(), func(d *MetadataDocument) { d.ClientID = "" }),
			findings: []string{"violation cimd-client-id /client_id"},
		},
		{
			name: "no name", document: documentOf(nameOf(""), redirect("https://other.example.com/cb")), policy: DocumentPolicy{RedirectOrigin: LinkHostsOff},
			findings: []string{"warning cimd-name /name"}, want: map[Field]any{FieldName: "app.example.com"},
		},
		{
			name: "no redirect URIs", document: documentOf(redirect()),
			findings: []string{"violation cimd-redirects /redirect_uris"},
		},
		{
			name: "no redirect URIs without a grant that redirects", document: documentOf(redirect(), listed(GrantDeviceCode)),
			policy: DocumentPolicy{Ceilings: RegistrationPolicy{Grants: []GrantType{GrantDeviceCode}}},
			want:   map[Field]any{FieldGrantTypes: []string{string(GrantDeviceCode)}},
		},
		{
			name:     "a secret",
			document: edited(documentOf(), func(d *MetadataDocument) { d.Secrets = []string{"client_secret", "client_secret_expires_at"} }),
			findings: []string{"violation cimd-secret /client_secret", "violation cimd-secret /client_secret_expires_at"},
		},
		{
			name: "scopes of other servers", document: documentOf(scopes("a", "b")),
			policy:   DocumentPolicy{Ceilings: RegistrationPolicy{Scopes: []Scope{"openid", "profile"}, DefaultScopes: []Scope{"profile"}}},
			findings: []string{"warning registration-value-replaced /scopes"}, want: map[Field]any{FieldScopes: []string{"profile"}},
		},
		{
			name: "scopes of other servers, no default ones", document: documentOf(scopes("a", "b")),
			policy:   DocumentPolicy{Ceilings: RegistrationPolicy{Scopes: []Scope{"openid"}}},
			findings: []string{"warning registration-value-replaced /scopes"}, want: map[Field]any{FieldScopes: []string{}},
		},
		{
			name: "a method with a secret", document: documentOf(methods(AuthSecretPost)), policy: DocumentPolicy{Ceilings: RegistrationPolicy{Open: true}},
			findings: []string{"violation cimd-secret /client_auth_methods"},
		},
		{
			name: "a method with a secret that the ceilings allow", document: documentOf(methods(AuthSecretBasic)),
			findings: []string{"violation cimd-secret /client_auth_methods"},
		},
		{
			name: "a method beyond the ceilings is not replaced", document: documentOf(methods(AuthPrivateKeyJWT), keys),
			policy:   DocumentPolicy{Ceilings: RegistrationPolicy{AuthMethods: []AuthMethod{AuthNone}}},
			findings: []string{"violation registration-auth-method /client_auth_methods"},
		},
		{
			name: "a symmetric signature algorithm", document: documentOf(alg(FieldIDTokenSigningAlg, "HS256")),
			findings: []string{"violation cimd-secret /id_token_signed_response_alg"},
		},
		{
			name: "a symmetric encryption algorithm", document: documentOf(keys, alg(FieldUserInfoEncryptionAlg, "A128KW")),
			findings: []string{"violation cimd-secret /userinfo_encrypted_response_alg"},
		},
		{
			name: "a private key", document: documentOf(keys), set: keySet(with(ecKey(), func(k *Key) { k.Private = true })),
			findings: []string{"violation cimd-private-key /jwks"},
		},
		{
			name: "a symmetric key", document: documentOf(keys), set: keySet(with(ecKey(), func(k *Key) { k.Symmetric = true })),
			findings: []string{"violation cimd-private-key /jwks"},
		},
		{
			name: "no method", document: documentOf(methods()),
			findings: []string{"warning cimd-method-omitted /client_auth_methods"},
			want:     map[Field]any{FieldAuthMethods: []string{"none"}, FieldConfidential: false},
		},
		{
			name: "a javascript link", document: documentOf(text(FieldLogoURL, "javascript:alert(1)")),
			findings: []string{"violation cimd-link /logo_url", "warning link-host /logo_url"},
		},
		{
			name: "an http link", document: documentOf(text(FieldWebsite, "http://app.example.com/")),
			findings: []string{"violation cimd-link /website"},
		},
		{
			name: "an http URI of keys", document: documentOf(keysAt("http://app.example.com/jwks")),
			findings: []string{"violation cimd-link /jwks_uri"},
		},
		{
			name: "an http sector identifier", document: documentOf(text(FieldSectorIdentifierURI, "http://app.example.com/sector")),
			findings: []string{"violation cimd-link /sector_identifier_uri"},
		},
		{
			name: "a post-logout redirect URI is no link", document: documentOf(func(s *Settings) { s.PostLogoutRedirectURIs = []RedirectURI{"com.example.app:/out"} }),
		},
		{
			name: "a redirect at another host", document: documentOf(redirect("https://other.example.com/cb")),
			findings: []string{"warning cimd-redirect-origin /redirect_uris/0"},
		},
		{
			name: "a redirect at another host is rejected", document: documentOf(redirect("https://app.example.com/cb", "https://other.example.com/cb")),
			policy:   DocumentPolicy{RedirectOrigin: LinkHostsRequire},
			findings: []string{"violation cimd-redirect-origin /redirect_uris/1"},
		},
		{
			name: "only loopback redirects", document: documentOf(redirect("http://127.0.0.1/cb", "com.example.app:/cb")), policy: DocumentPolicy{RedirectOrigin: LinkHostsOff},
			findings: []string{"warning cimd-loopback-only /redirect_uris"},
		},
		{
			name: "only loopback redirects with keys", document: documentOf(methods(AuthPrivateKeyJWT), keys, redirect("http://127.0.0.1/cb")),
			policy: DocumentPolicy{RedirectOrigin: LinkHostsOff},
		},
		{
			name: "some loopback redirects", document: documentOf(redirect("http://127.0.0.1/cb", "https://app.example.com/cb")),
			policy: DocumentPolicy{RedirectOrigin: LinkHostsOff},
		},
		{
			name: "unknown values are left out", document: documentOf(listed(GrantAuthorizationCode, "urn:example:grant"), responseTypes("code", "bark")),
			findings: []string{"warning registration-value-dropped /grant_types/1", "warning registration-value-dropped /response_types/1"},
			want:     map[Field]any{FieldGrantTypes: []string{"authorization_code"}, FieldResponseTypes: []string{"code"}},
		},
		{
			name: "the ceilings of the tenant", document: documentOf(scopes("openid", "admin")),
			policy:   DocumentPolicy{Ceilings: RegistrationPolicy{Scopes: []Scope{"openid"}, RedirectHosts: []string{"other.example"}}},
			findings: []string{"violation registration-redirect-host /redirect_uris/0", "warning registration-value-dropped /scopes/1"},
		},
		{
			name: "no statement is required", document: documentOf(),
			policy: DocumentPolicy{Ceilings: RegistrationPolicy{Statement: StatementRequired, InitialStatus: StatusSuspended}},
			want:   map[Field]any{FieldStatus: "active"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			draft := testBook(t, Policy{}).RegisterDocument("acme", c.document, c.policy)
			set := c.set
			if set == nil {
				set = keySet(ecKey())
			}
			outcome := draft.Decide(Facts{Keys: KeysSeen(*set)}, testNow)
			assert.Equal(t, append([]string{}, c.findings...), fromOutside(outcome.Findings))
			rejected := slices.ContainsFunc(c.findings, func(f string) bool { return f[0] == 'v' })
			assert.Equal(t, rejected, outcome.Findings.HasViolations())
			settings := draft.Settings()
			for f, value := range c.want {
				assert.Equal(t, value, Plain(f.Of(&settings)), f.String())
			}
		})
	}
}

func TestTheRulesForAllClientsApplyToDocuments(t *testing.T) {
	outcome := testBook(t, Policy{}).RegisterDocument("acme", documentOf(redirect("https://app.example.com/cb#x")), DocumentPolicy{}).Decide(Facts{}, testNow)
	assert.Equal(t, []string{"redirect-uri-fragment"}, rulesOf(outcome.Findings))
}

func TestTheClientOfADocument(t *testing.T) {
	policy := DocumentPolicy{
		Mode: DocumentsAny, Ceilings: RegistrationPolicy{Owner: "platform"},
		Hosts: []DocumentHost{{Host: "*.example.com", Policy: &RegistrationPolicy{RequirePKCE: true}}},
	}
	client := testBook(t, Policy{}).RegisterDocument("acme", documentOf(), policy).Decide(Facts{}, testNow).Client
	assert.Equal(t, Identity{TenantID: "acme", ClientID: documentURL}, client.Identity())
	assert.Equal(t, StatusActive, client.Settings().Status)
	assert.Equal(t, "platform", client.Settings().Owner)
	assert.True(t, client.Settings().RequirePKCE)
	r := client.Registration()
	assert.Equal(t, ViaDocument, r.Via)
	assert.True(t, r.Policy.RequirePKCE)
	assert.Equal(t, &ApprovedDocument{Digest: "sha-256:1", ApprovedAt: testNow}, r.Document)
}

func TestAChangedDocumentWaitsAndIsApproved(t *testing.T) {
	book := testBook(t, Policy{})
	client := administered(t, documentClient(t), ChangeOf(Settings{Owner: "platform"}))
	later := testNow.Add(time.Hour)
	pending := PendingDocument{Digest: "sha-256:2", SeenAt: later, Changed: []string{"scope"}}

	waiting, err := client.DocumentChanged(pending, later)
	require.NoError(t, err)
	assert.Equal(t, client.Revision()+1, waiting.Revision())
	assert.Equal(t, client.Settings(), waiting.Settings())
	assert.Equal(t, &pending, waiting.Registration().Document.Pending)
	assert.Nil(t, client.Registration().Document.Pending, "the earlier revision is not changed")
	back := must(waiting.DocumentChanged(PendingDocument{Digest: "sha-256:1"}, later))
	assert.Nil(t, back.Registration().Document.Pending, "the approved document is there again")

	changed := documentOf(scopes("openid"))
	changed.Digest = "sha-256:2"
	outcome := must(book.ReviseDocument(waiting, changed, DocumentPolicy{})).Decide(Facts{}, later)
	require.Empty(t, outcome.Findings)
	assert.Equal(t, []Scope{"openid"}, outcome.Client.Settings().Scopes)
	assert.Equal(t, "platform", outcome.Client.Settings().Owner)
	changes := DocumentChanges{"scope": later}
	assert.Equal(t, &ApprovedDocument{Digest: "sha-256:2", ApprovedAt: later, Changes: changes}, outcome.Client.Registration().Document)

	again := must(book.ReviseDocument(outcome.Client, changed, DocumentPolicy{})).Decide(Facts{}, later)
	assert.Equal(t, outcome.Client, again.Client, "it is approved already")
	changed.Digest = "sha-256:3"
	other := must(book.ReviseDocument(outcome.Client, changed, DocumentPolicy{})).Decide(Facts{}, later.Add(time.Hour))
	assert.Equal(t, "sha-256:3", other.Client.Registration().Document.Digest, "also if no setting changes")
	assert.Equal(t, changes, other.Client.Registration().Document.Changes)
}

func TestDocumentsAreNotOfOtherClients(t *testing.T) {
	book := testBook(t, Policy{})
	_, err := book.ReviseDocument(stored(nil), documentOf(), DocumentPolicy{})
	require.ErrorIs(t, err, ErrNoDocumentClient)
	_, err = stored(nil).DocumentChanged(PendingDocument{}, testNow)
	require.ErrorIs(t, err, ErrNoDocumentClient)
	deleted := must(documentClient(t).Delete(testNow))
	_, err = book.ReviseDocument(deleted, documentOf(), DocumentPolicy{})
	require.ErrorIs(t, err, ErrDeleted)
	_, err = deleted.DocumentChanged(PendingDocument{}, testNow)
	require.ErrorIs(t, err, ErrDeleted)
	_, err = documentClient(t).IssueRegistrationToken(RegistrationToken{}, RegistrationPolicy{}, testNow)
	require.ErrorIs(t, err, ErrDocumentClient)
}

func TestAnAdministratorChangesOnlyTheOtherHalfOfADocumentClient(t *testing.T) {
	client := documentClient(t)
	book := testBook(t, Policy{})
	outcome := must(book.Revise(client, sent(scopes("openid")))).Decide(Facts{}, testNow)
	assert.Equal(t, []string{"violation cimd-managed /scopes"}, fromOutside(outcome.Findings))
	assert.Equal(t, client, outcome.Client)
	suspended := administered(t, client, ChangeOf(Settings{Status: StatusSuspended}))
	assert.Equal(t, client.Registration(), suspended.Registration())
}

func TestTheURLOfADocument(t *testing.T) {
	for url, want := range map[ClientID][]string{
		"https://app.example.com/client":                                 {},
		"https://app.example.com:8443/client":                            {},
		"https://app.example.com/client?v=1":                             {"warning cimd-url-query /client_id"},
		"https://app.example.com/client?":                                {"warning cimd-url-query /client_id"},
		"https://app.example.com/":                                       {"warning cimd-url-root /client_id"},
		"https://app.example.com":                                        {"violation cimd-url /client_id"},
		"http://app.example.com/client":                                  {"violation cimd-url /client_id"},
		"http://127.0.0.1:8080/client":                                   {"violation cimd-url /client_id"},
		"https://user@app.example.com/client":                            {"violation cimd-url /client_id"},
		"https://app.example.com/client#":                                {"violation cimd-url /client_id"},
		"https://app.example.com/a/../client":                            {"violation cimd-url /client_id"},
		"https://app.example.com/./client":                               {"violation cimd-url /client_id"},
		"https://app.example.com/%2e%2E/client":                          {"violation cimd-url /client_id"},
		`https://app.example.com\client`:                                 {"violation cimd-url /client_id"},
		"https://app.example.com/cli ent":                                {"violation cimd-url /client_id"},
		"https://app.example.com/client\n":                               {"violation cimd-url /client_id"},
		"https://app.example.com./client":                                {"violation cimd-url /client_id"},
		"https://2130706433/client":                                      {"violation cimd-url /client_id"},
		"https:///client":                                                {"violation cimd-url /client_id"},
		"https:client":                                                   {"violation cimd-url /client_id"},
		ClientID("https://app.example.com/" + string(make([]byte, 300))): {"violation cimd-url /client_id"},
	} {
		assert.Equal(t, want, fromOutside(Policy{}.CheckDocumentURL(url)), "%q", url)
	}
	development := Policy{Loopback: true}
	assert.Empty(t, development.CheckDocumentURL("http://127.0.0.1:8080/client"))
	assert.NotEmpty(t, development.CheckDocumentURL("http://app.example.com/client"))
	assert.True(t, documentURL.IsDocumentURL())
	assert.True(t, ClientID("HTTP://x").IsDocumentURL())
	assert.False(t, ClientID("app").IsDocumentURL())
}

func TestWhichDocumentsAPolicyAdmits(t *testing.T) {
	hosts := []DocumentHost{{Host: "app.example.com"}, {Host: "*.example.org"}}
	const listed, below, alike, other = "https://APP.example.com/c", "https://a.b.example.org/c", "https://evilexample.org/c", "https://other.example/c"
	for _, c := range []struct {
		mode     DocumentMode
		admitted []ClientID
	}{
		{"", nil},
		{DocumentsOff, nil},
		{DocumentsAllow, []ClientID{listed, below}},
		{DocumentsDeny, []ClientID{alike, other}},
		{DocumentsAny, []ClientID{listed, below, alike, other}},
	} {
		var admitted []ClientID
		for _, id := range []ClientID{listed, below, alike, other} {
			if _, ok := (DocumentPolicy{Mode: c.mode, Hosts: hosts}).Admits(id); ok {
				admitted = append(admitted, id)
			}
		}
		assert.Equal(t, c.admitted, admitted, string(c.mode))
	}
}

func TestTheMostSpecificEntryNarrowsTheCeilings(t *testing.T) {
	scope := func(s Scope) *RegistrationPolicy { return &RegistrationPolicy{Scopes: []Scope{s, "extra"}} }
	policy := DocumentPolicy{
		Mode:     DocumentsAllow,
		Ceilings: RegistrationPolicy{Scopes: []Scope{"wide", "narrow", "exact"}},
		Hosts: []DocumentHost{
			{Host: "*.example.com", Policy: scope("wide")},
			{Host: "*.eu.example.com", Policy: scope("narrow")},
			{Host: "a.eu.example.com", Policy: scope("exact")},
			{Host: "plain.example"},
		},
	}
	for url, want := range map[ClientID][]Scope{
		"https://x.example.com/c":    {"wide"},
		"https://b.eu.example.com/c": {"narrow"},
		"https://a.eu.example.com/c": {"exact"},
		"https://plain.example/c":    {"wide", "narrow", "exact"},
	} {
		ceilings, ok := policy.Admits(url)
		assert.True(t, ok)
		assert.Equal(t, want, ceilings.Scopes, string(url))
	}
}
