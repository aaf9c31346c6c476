package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/adapters/postgres"
)

func TestOnlyPostgreSQLItselfIsAccepted(t *testing.T) {
	for version, accepted := range map[string]bool{
		"PostgreSQL 15.9 (Debian 15.9-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit": true,
		"PostgreSQL 18beta1 on aarch64-unknown-linux-musl, compiled by gcc, 64-bit":                                         true,
		"PostgreSQL 11.2-YB-2.21.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 17.0.6, 64-bit":                   false,
		"CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27 01:53:43, go1.19.10)":                              false,
		"PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.12103":                        false,
		"": false,
	} {
		err := postgres.SupportedEngine(version)
		if accepted {
			assert.NoError(t, err, version)
		} else {
			assert.ErrorContains(t, err, "not supported", version)
		}
	}
}
