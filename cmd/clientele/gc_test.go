package main_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheEnvironmentConfiguresTheGarbageCollector(t *testing.T) {
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"the default of serve":        {[]string{"GOGC="}, "go_gc_gogc_percent 200\n"},
		"GOGC":                        {[]string{"GOGC=50"}, "go_gc_gogc_percent 50\n"},
		"the default, GOMEMLIMIT set": {[]string{"GOGC=", "GOMEMLIMIT=200MiB"}, "go_gc_gogc_percent 200\n"},
		"GOMEMLIMIT":                  {[]string{"GOGC=", "GOMEMLIMIT=1MiB"}, "go_gc_gomemlimit_bytes 1.048576e+06\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startIn(t, test.env, "--dev", "--data", t.TempDir(), "--admin-listen", "127.0.0.1:0")
			_, metrics := read(t, p.Operators+"/metrics")
			assert.Contains(t, metrics, test.want)
		})
	}
}
