package registrationfile

import (
	"slices"
	"strconv"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonvalue"
	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
	"github.com/clientele-oauth/clientele/domain"
)

// documents reads the policy for client ID metadata documents. The policies of hosts narrow
// that of the tenant.
func (r *reader) documents(pointer string, value any, tenant domain.RegistrationPolicy) domain.DocumentPolicy {
	p := domain.DocumentPolicy{Mode: domain.DocumentsOff, RedirectOrigin: domain.LinkHostsWarn, MaxBytes: domain.DefaultDocumentBytes}
	object, ok := r.Object(pointer, value, documentKeys()...)
	if !ok {
		return p
	}
	if mode, given := object["mode"]; given {
		p.Mode, _ = jsonvalue.Choice(&r.Reader, pointer+"/mode", mode, documentModes()...)
	}
	if origin, given := object["redirect_origin"]; given {
		p.RedirectOrigin, _ = jsonvalue.Choice(&r.Reader, pointer+"/redirect_origin", origin, domain.LinkHostsModes()...)
	}
	if approval, given := object["approval"]; given {
		chosen, _ := jsonvalue.Choice(&r.Reader, pointer+"/approval", approval, "none", "required")
		p.RequireApproval = chosen == "required"
	}
	if size, given := object["max_bytes"]; given {
		most, _ := r.Integer(pointer+"/max_bytes", size, 1, domain.MaxDocumentBytes)
		p.MaxBytes = int(most)
	}
	if hosts, given := object["hosts"]; given {
		p.Hosts = r.hosts(pointer+"/hosts", hosts, p.Mode, tenant)
	}
	if p.Mode.On() && !tenant.AdmitsDocuments() {
		r.Add(pointer+"/mode", "no document can be used: auth_methods of registration has only methods with a shared secret")
	}
	return p
}

func documentModes() []domain.DocumentMode {
	return []domain.DocumentMode{domain.DocumentsOff, domain.DocumentsAllow, domain.DocumentsDeny, domain.DocumentsAny}
}

// hosts reads a list of hosts: strings, or objects with a policy.
func (r *reader) hosts(pointer string, value any, mode domain.DocumentMode, tenant domain.RegistrationPolicy) []domain.DocumentHost {
	list, ok := value.([]any)
	if !ok {
		r.Add(pointer, "must be an array of hosts")
		return nil
	}
	if len(list) > maxHosts {
		r.Add(pointer, "must have at most "+contract.CountOf(maxHosts, "element"))
		return nil
	}
	hosts := []domain.DocumentHost{}
	for i, element := range list {
		at := pointer + "/" + strconv.Itoa(i)
		host := r.host(at, element, tenant)
		same := func(other domain.DocumentHost) bool { return other.Host == host.Host }
		if first := slices.IndexFunc(hosts, same); first >= 0 && host.Host != "" {
			r.Add(at, "duplicate of "+pointer+"/"+strconv.Itoa(first))
		}
		if host.Policy != nil && mode == domain.DocumentsDeny {
			r.Add(at+"/policy", "has no effect for a host that is denied; omit it")
		}
		hosts = append(hosts, host)
	}
	return hosts
}

// maxHosts is the maximum number of hosts of a tenant.
const maxHosts = 1000

func (r *reader) host(pointer string, value any, tenant domain.RegistrationPolicy) (host domain.DocumentHost) {
	if _, isText := value.(string); isText {
		host.Host, _ = r.Text(pointer, value, registrationpolicy.HostFault)
		return host
	}
	object, ok := value.(map[string]any)
	if !ok {
		r.Add(pointer, "must be a host, or an object with host and policy")
		return host
	}
	r.Object(pointer, value, hostKeys()...)
	if name, given := object["host"]; given {
		host.Host, _ = r.Text(pointer+"/host", name, registrationpolicy.HostFault)
	} else {
		r.Add(pointer+"/host", "is missing")
	}
	if given, exists := object["policy"]; exists {
		host.Policy = r.hostPolicy(pointer+"/policy", given, tenant)
	}
	return host
}

func (r *reader) hostPolicy(pointer string, value any, tenant domain.RegistrationPolicy) *domain.RegistrationPolicy {
	object, ok := value.(map[string]any)
	if !ok {
		r.Add(pointer, "must be an object")
		return nil
	}
	policy := r.policy(pointer, object, registrationpolicy.InDocuments)
	beyond := tenant.Beyond(policy)
	for _, finding := range beyond {
		r.Add(pointer+finding.Pointer, finding.Message)
	}
	if len(beyond) == 0 {
		r.usable(pointer, tenant.Narrow(policy))
	}
	return &policy
}
