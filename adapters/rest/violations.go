package rest

import (
	"errors"
	"net/http"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// maxViolations is how many violations a response lists; the others are counted
// in violations_omitted. A response stays small whatever the request is.
const maxViolations = 100

// violations are the violations of one request.
type violations struct {
	listed  domain.Findings // at most maxViolations
	omitted int             // how many more there are
}

func (v *violations) add(findings ...domain.Finding) {
	for _, f := range findings {
		if len(v.listed) >= maxViolations {
			v.omitted++
			continue
		}
		v.listed = append(v.listed, f)
	}
}

func (v *violations) total() int { return len(v.listed) + v.omitted }

// err is the rejection of a request that breaks the contract.
func (v *violations) err() error {
	return &contractError{
		status:     http.StatusBadRequest,
		message:    "the request does not match the API description (" + contract.CountOf(v.total(), "problem") + ")",
		violations: v.listed,
		omitted:    v.omitted,
	}
}

// rejected is the error to respond with. Usually it is err. If the request broke
// the contract, the rules looked at the rest of it in a dry run that ended in
// err: then it is one error with all violations of both. An err that lists no
// violations, for example that there is no such client, is left for the next
// request, which keeps the contract.
func (x *requestState) rejected(err error) error {
	if x.violations.total() == 0 {
		return err
	}
	found := x.violations
	if invalid, ok := errors.AsType[*application.InvalidError](err); ok {
		err = nil
		if others := invalid.Findings.Independent(x.unread); others.HasViolations() {
			err = &application.InvalidError{Findings: others}
		}
	}
	if err != nil {
		if p, _ := problemOf(err); p.status == http.StatusBadRequest {
			found.add(p.violations...)
			found.omitted += p.omitted
		}
	}
	return found.err()
}
