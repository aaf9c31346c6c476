package rest

import (
	"errors"
	"net/http"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// maxViolations is the maximum number of violations in a response; the rest are
// counted in violations_omitted. This limits the size of the response for any
// request.
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

// err returns the rejection of a request that violates the contract.
func (v *violations) err() error {
	return &contractError{
		status:     http.StatusBadRequest,
		message:    "the request does not match the API description (" + contract.CountOf(v.total(), "problem") + ")",
		violations: v.listed,
		omitted:    v.omitted,
	}
}

// rejected returns the error of the response. Usually it is err. If the request
// violated the contract, the rules checked the rest of it in a dry run that
// returned err; then the result lists the violations of both. An err without
// violations, such as an unknown client, is ignored: the caller gets it for its
// next request, once that is valid.
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
		if p, _ := problemOf(err, x.operation); p.status == http.StatusBadRequest {
			found.add(p.violations...)
			found.omitted += p.omitted
		}
	}
	return found.err()
}
