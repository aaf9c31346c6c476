package main

import (
	"bytes"
	"errors"

	"github.com/clientele-oauth/clientele/adapters/keycloak"
	"github.com/clientele-oauth/clientele/application/push"
)

// keycloakFlags are the flags of sync for a realm of Keycloak.
type keycloakFlags struct {
	Realm         string `env:"CLIENTELE_SYNC_REALM" placeholder:"NAME" help:"Realm that gets the clients. --target is the URL of the server without /realms."`
	Client        string `name:"keycloak-client" default:"clientele-sync" env:"CLIENTELE_SYNC_KEYCLOAK_CLIENT" placeholder:"ID" help:"Client of the realm whose service account has the role manage-clients, and for --keycloak-authenticator view-realm (${default})."`
	SecretFile    string `name:"keycloak-secret-file" type:"existingfile" env:"CLIENTELE_SYNC_KEYCLOAK_SECRET_FILE" placeholder:"FILE" help:"File with the secret of this client. It is read again for each access token."`
	ClientRealm   string `name:"keycloak-client-realm" env:"CLIENTELE_SYNC_KEYCLOAK_CLIENT_REALM" placeholder:"NAME" help:"Realm of this client, e.g. master; default: --realm."`
	Authenticator bool   `name:"keycloak-authenticator" env:"CLIENTELE_SYNC_KEYCLOAK_AUTHENTICATOR" help:"Clients with secrets authenticate through the client authenticator clientele-secret, which asks the registry; no secret is pushed. Without it, the realm has only secrets that are in the secrets file."`
	SetUpFlow     bool   `name:"keycloak-set-up-flow" env:"CLIENTELE_SYNC_KEYCLOAK_SET_UP_FLOW" help:"Add the authenticator to the client authentication flow of the realm if it is not there. The service account needs the role manage-realm."`
}

// validate rejects flags with which the realm cannot be used.
func (f *keycloakFlags) validate() error {
	switch {
	case f.Realm == "" || f.SecretFile == "":
		return errors.New("--to keycloak requires --realm and --keycloak-secret-file")
	case f.SetUpFlow && !f.Authenticator:
		return errors.New("--keycloak-set-up-flow requires --keycloak-authenticator")
	default:
		return nil
	}
}

// openKeycloak returns the target for a realm.
func openKeycloak(c *syncCommand) (push.Target, error) {
	f := &c.Keycloak
	return keycloak.New(keycloak.Config{
		URL: c.Target, Realm: f.Realm, ClientRealm: f.ClientRealm, ClientID: f.Client, Timeout: c.TargetTimeout,
		Authenticator: f.Authenticator, SetUpFlow: f.SetUpFlow,
		ClientSecret: func() (string, error) {
			secret, err := readSetting(f.SecretFile)
			return string(bytes.TrimSpace(secret)), err
		},
	})
}
