package declare_test

import (
	"context"
	"fmt"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/declare"
	"github.com/clientele-oauth/clientele/domain"
)

// registry is a registry with one client. Methods that the example does not need are
// missing.
type registry struct {
	declare.Registry
	client declare.Registered
}

func (r *registry) Find(_ context.Context, id domain.ClientID, _ bool) (declare.Registered, error) {
	if id != r.client.ID {
		return declare.Registered{}, application.ErrNotFound
	}
	return r.client, nil
}

func (r *registry) Revise(_ context.Context, at declare.Registered, change domain.Change, dryRun bool) (domain.Findings, error) {
	if !dryRun {
		r.client.Settings = change.Over(at.Settings)
		r.client.Revision++
	}
	return nil, nil
}

// Plan the difference between a declaration and the registry, and apply it.
func Example() {
	ctx := context.Background()
	r := &registry{client: declare.Registered{
		ID: "shop", Revision: 1, Settings: domain.Settings{Name: "Shop", Status: domain.StatusActive},
	}}
	declarations := []declare.Declaration{{ID: "shop", Change: domain.ChangeOf(domain.Settings{Name: "New Shop"})}}
	for range 2 {
		plan, err := declare.NewPlan(ctx, r, declarations, false, nil)
		if err != nil {
			panic(err)
		}
		for _, step := range plan.Steps {
			fmt.Println(step.Kind, step.ID, step.Differences)
		}
		if err := declare.Apply(ctx, r, plan, nil, nil); err != nil { // no step has a secret to keep
			panic(err)
		}
	}
	// Output:
	// update shop [{name Shop New Shop}]
	// unchanged shop []
}
