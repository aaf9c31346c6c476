package domain

// MaxClientBytes bounds the configuration of a client, see [Client.Bytes]. It leaves
// room for a key set of [MaxKeySetBytes] and as much again.
const MaxClientBytes = 128 << 10

// The row on the size of a client as a whole. The bounds of single fields add up to
// several times what any real client needs, and every page of a list holds many
// clients.
func sizeRules() []Rule {
	return []Rule{{
		ID: "client-size", Level: Violation, Source: "own", needs: allFields(),
		Summary: "the values of all fields together exceed 131072 bytes; a client that was larger before may still be changed as long as it does not grow",
		check: func(j *judged, r *report) {
			size := j.bytes()
			if size <= MaxClientBytes {
				return
			}
			r.add(r.rule.Level, j.largest().pointer(), "client-size",
				"all values together have %d bytes, but the limit is %d; this field is the largest", size, MaxClientBytes)
			r.findings[len(r.findings)-1].amount = size
		},
	}}
}

// Bytes returns the size of the configuration: the bytes of the values of all its
// fields, in UTF-8.
func (c Client) Bytes() int { return c.state.Settings.bytes() }

func (s *Settings) bytes() int {
	size := 0
	s.eachSize(func(_ Field, bytes int) { size += bytes })
	return size
}

// largest is the field with the most bytes.
func (s *Settings) largest() Field {
	var largest Field
	most := -1
	s.eachSize(func(f Field, bytes int) {
		if bytes > most {
			largest, most = f, bytes
		}
	})
	return largest
}

// eachSize calls do with the size of each field that has a text or texts.
func (s *Settings) eachSize(do func(f Field, bytes int)) {
	do(FieldName, len(s.Name))
	do(FieldStatus, len(s.Status))
	do(FieldRedirectURIs, bytesOf(s.RedirectURIs))
	do(FieldGrantTypes, bytesOf(s.GrantTypes))
	do(FieldScopes, bytesOf(s.Scopes))
	do(FieldAuthMethods, bytesOf(s.AuthMethods))
	do(FieldProfile, len(s.Profile))
	do(FieldJWKS, len(s.Keys.inline))
	do(FieldJWKSURI, len(s.Keys.uri))
	do(FieldTLSSubjectDN, len(s.TLSSubject.DN))
	do(FieldTLSSANDNS, len(s.TLSSubject.SANDNS))
	do(FieldTLSSANURI, len(s.TLSSubject.SANURI))
	do(FieldTLSSANIP, len(s.TLSSubject.SANIP))
	do(FieldTLSSANEmail, len(s.TLSSubject.SANEmail))
	do(FieldLogoURL, len(s.LogoURL))
	do(FieldWebsite, len(s.Website))
	do(FieldPrivacyPolicy, len(s.PrivacyPolicy))
	do(FieldTermsURL, len(s.TermsURL))
	do(FieldCORSOrigins, bytesOf(s.CORSOrigins))
}

func bytesOf[S ~string](list []S) int {
	bytes := 0
	for _, s := range list {
		bytes += len(s)
	}
	return bytes
}

func allFields() []Field {
	var list []Field
	new(Settings).eachSize(func(f Field, _ int) { list = append(list, f) })
	return list
}
