module github.com/clientele-oauth/clientele/adapters/integrations/go

go 1.26.0

require (
	github.com/clientele-oauth/clientele v0.0.0
	github.com/ory/fosite v0.49.0
	github.com/zitadel/oidc/v3 v3.52.0
)

replace github.com/clientele-oauth/clientele => ../../..
