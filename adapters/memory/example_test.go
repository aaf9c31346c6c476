package memory_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/adapters/memory"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// A test creates a store and needs no cleanup.
func Example() {
	ctx := context.Background()
	store := memory.New()
	first := domain.Revision{
		Action: domain.ActionCreate,
		At:     time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC),
		Client: domain.Restore(domain.State{
			Identity: domain.Identity{ID: "client_1", TenantID: "tenant_a", ClientID: "app-1"},
			Revision: 1,
			Settings: domain.Settings{Name: "My App", Status: domain.StatusActive},
		}),
	}
	fmt.Println(store.Commit(ctx, first))

	page, err := store.List(ctx, "tenant_a", application.Query{Name: "my", Limit: 10})
	fmt.Println(page.Clients[0].Settings().Name, err)

	err = store.Commit(ctx, first)
	fmt.Println("taken:", errors.Is(err, application.ErrConflict))

	// Output:
	// <nil>
	// My App <nil>
	// taken: true
}
