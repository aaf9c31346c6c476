package servermetadata

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Servers has the metadata of the authorization servers of tenants. It implements
// [github.com/clientele-oauth/clientele/application.Servers], and is safe for concurrent
// use.
//
// A file is read again when it changes. A URL is read again in the background after five
// minutes, or a minute after a failure; callers wait for it only if the metadata is older
// than an hour and could be read the last time.
type Servers struct {
	byTenant map[domain.TenantID]*source
	sources  []*source
}

// New returns the servers at these locations. It reads nothing yet. An error means that a
// tenant has two locations. log receives a warning when reading begins to fail.
func New(locations []Location, log *slog.Logger, now func() time.Time) (*Servers, error) {
	s := &Servers{byTenant: map[domain.TenantID]*source{}}
	for _, location := range locations {
		if s.byTenant[location.Tenant] != nil {
			return nil, fmt.Errorf("%s: this tenant has another location of server metadata", location)
		}
		source := newSource(location, log, now)
		s.byTenant[location.Tenant] = source
		s.sources = append(s.sources, source)
	}
	return s, nil
}

// Load reads the metadata of all servers at the same time. The error joins those of the
// servers whose metadata could not be read.
func (s *Servers) Load(ctx context.Context) error {
	failures := make([]error, len(s.sources))
	var group sync.WaitGroup
	for i, source := range s.sources {
		group.Go(func() { failures[i] = source.load(ctx) })
	}
	group.Wait()
	return errors.Join(failures...)
}

// Server implements [application.Servers].
func (s *Servers) Server(ctx context.Context, tenant domain.TenantID) domain.ServerMetadata {
	source, ok := s.byTenant[tenant]
	if !ok {
		source, ok = s.byTenant[""]
	}
	if !ok {
		return domain.ServerMetadata{}
	}
	return source.current(ctx)
}

// Ages calls watch for each location with a function that returns the time since its
// metadata was last read; ok is false if it never was.
func (s *Servers) Ages(watch func(tenant domain.TenantID, age func() (age time.Duration, ok bool))) {
	for _, source := range s.sources {
		watch(source.location.Tenant, source.age)
	}
}

// Note returns how many of the servers' metadata could not be read the last time; empty
// if all could.
func (s *Servers) Note(context.Context) string {
	failing := 0
	for _, source := range s.sources {
		if source.failing() {
			failing++
		}
	}
	if failing == 0 {
		return ""
	}
	return fmt.Sprintf("cannot be read for %d of %d authorization servers; what was read last, if anything, stays in use", failing, len(s.sources))
}
