package domain

// The rows on CIBA: CIBA Core §4, FAPI-CIBA draft 03 §4.1.1. A CIBA client has the CIBA
// grant or a delivery mode.
func cibaRules() []Rule {
	mode := []Field{FieldCIBADeliveryMode}
	modeAndGrants := []Field{FieldCIBADeliveryMode, FieldGrantTypes}
	endpoint := []Field{FieldCIBANotificationEndpoint}
	endpointAndMode := []Field{FieldCIBANotificationEndpoint, FieldCIBADeliveryMode}
	unused := []Field{FieldCIBANotificationEndpoint, FieldCIBARequestSigningAlg, FieldCIBAUserCode}
	return []Rule{
		{
			ID: "ciba-mode-unknown", Level: Violation, Source: "CIBA Core §4", needs: mode,
			Summary: "backchannel_token_delivery_mode is neither poll, ping nor push",
			check: func(j *candidate, r *report) {
				switch j.CIBA.DeliveryMode {
				case "", DeliveryPoll, DeliveryPing, DeliveryPush:
				default:
					r.on(FieldCIBADeliveryMode, "the delivery mode must be poll, ping or push")
				}
			},
		},
		{
			ID: "ciba-mode-undeclared", Level: Warning, Source: "own; CIBA Core §4 requires the mode", needs: modeAndGrants,
			Summary: "CIBA is listed without backchannel_token_delivery_mode",
			check: func(j *candidate, r *report) {
				if j.hasGrant(GrantCIBA) && j.CIBA.DeliveryMode == "" {
					r.on(FieldCIBADeliveryMode, "a CIBA client should have a delivery mode; set poll, ping or push")
				}
			},
		},
		{
			ID: "ciba-mode-grant", Level: Violation, Source: "CIBA Core §4", needs: modeAndGrants,
			Summary: "backchannel_token_delivery_mode is poll or ping, but CIBA is not listed; push needs no grant type",
			check: func(j *candidate, r *report) {
				if (j.CIBA.DeliveryMode == DeliveryPoll || j.CIBA.DeliveryMode == DeliveryPing) && !j.hasGrant(GrantCIBA) {
					r.on(FieldCIBADeliveryMode, "the client requests its tokens with the CIBA grant type; add %s, or clear the delivery mode", GrantCIBA)
				}
			},
		},
		{
			ID: "ciba-endpoint", Level: Violation, Source: "CIBA Core §4", needs: endpointAndMode,
			Summary: "backchannel_token_delivery_mode is ping or push without backchannel_client_notification_endpoint; or the endpoint is not an absolute https URI with a host, has user information, a fragment or a wildcard, or violates redirect-uri-host or redirect-uri-path-tricks",
			check: func(j *candidate, r *report) {
				if mode := j.CIBA.DeliveryMode; j.CIBA.NotificationEndpoint == "" && (mode == DeliveryPing || mode == DeliveryPush) {
					r.on(FieldCIBANotificationEndpoint, "the delivery mode %s needs an endpoint that is notified; set it", mode)
				}
				r.eachURI(j, r.rule.Level, endpoint, func(_ *candidate, u *uri) string { return u.formFault(formEndpoint) })
			},
		},
		{
			ID: "ciba-endpoint-address", Level: Violation, Source: "own", needs: endpoint,
			Summary: "the host of backchannel_client_notification_endpoint is localhost or an IP address that is not public; addresses of private networks can be allowed by the deployment, and loopback addresses are allowed in development",
			check:   eachURIOf(endpoint, callbackAddressFault),
		},
		{
			ID: "ciba-endpoint-unused", Level: Warning, Source: "own", needs: endpointAndMode,
			Summary: "backchannel_token_delivery_mode is poll, and backchannel_client_notification_endpoint is set",
			check: func(j *candidate, r *report) {
				if j.CIBA.DeliveryMode == DeliveryPoll && j.CIBA.NotificationEndpoint != "" {
					r.on(FieldCIBANotificationEndpoint, "a client that polls is not notified; clear the endpoint, or use the delivery mode ping")
				}
			},
		},
		{
			ID: "ciba-push-fapi", Level: Violation, Source: "FAPI-CIBA draft 03 §4.1.1-3", in: inFAPI1 | inFAPI2,
			needs:   []Field{FieldCIBADeliveryMode, FieldProfile},
			Summary: "backchannel_token_delivery_mode is push",
			check: func(j *candidate, r *report) {
				if j.CIBA.DeliveryMode == DeliveryPush {
					r.on(FieldCIBADeliveryMode, "FAPI does not allow the delivery mode push; use poll or ping")
				}
			},
		},
		{
			ID: "ciba-unused", Level: Warning, Source: "own",
			needs:   append([]Field{FieldGrantTypes, FieldCIBADeliveryMode}, unused...),
			Summary: "backchannel_client_notification_endpoint, backchannel_authentication_request_signing_alg or backchannel_user_code_parameter is set, but CIBA is not listed and backchannel_token_delivery_mode is not set",
			check: func(j *candidate, r *report) {
				if j.usesCIBA() {
					return
				}
				for _, field := range unused {
					if !field.Of(&j.Settings).IsEmpty() {
						r.on(field, "this client does not use CIBA; clear it, or add the grant type %s", GrantCIBA)
						r.except(unused, field)
					}
				}
			},
		},
	}
}
