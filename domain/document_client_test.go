package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHasSeen(t *testing.T) {
	at := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		approved ApprovedDocument
		digest   string
		fetched  time.Time
		seen     bool
	}{
		"the approved one":                    {ApprovedDocument{Digest: "a", FetchedAt: at}, "a", at.Add(time.Hour), true},
		"a newer one":                         {ApprovedDocument{Digest: "a", FetchedAt: at}, "b", at.Add(time.Second), false},
		"an older one":                        {ApprovedDocument{Digest: "a", FetchedAt: at}, "b", at.Add(-time.Second), true},
		"older than an approval without time": {ApprovedDocument{Digest: "a", ApprovedAt: at}, "b", at.Add(-time.Second), true},
		"the pending one":                     {ApprovedDocument{Digest: "a", Pending: &PendingDocument{Digest: "b", SeenAt: at}}, "b", at.Add(time.Hour), true},
		"the approved one again":              {ApprovedDocument{Digest: "a", Pending: &PendingDocument{Digest: "b", SeenAt: at}}, "a", at.Add(time.Second), false},
		"older than the pending one":          {ApprovedDocument{Digest: "a", Pending: &PendingDocument{Digest: "b", SeenAt: at}}, "a", at.Add(-time.Second), true},
	} {
		assert.Equal(t, tt.seen, tt.approved.HasSeen(tt.digest, tt.fetched), name)
	}
}
