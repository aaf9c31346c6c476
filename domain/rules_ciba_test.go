package domain

// withCIBA is a client with the CIBA grant alone and the delivery mode.
func withCIBA(mode DeliveryMode, edits ...func(*Settings)) func(*Settings) {
	return all(grants(GrantCIBA), scopes(scopeOpenID), setting(FieldCIBADeliveryMode, string(mode)), all(edits...))
}

func cibaExamples() map[string][]example {
	notify := func(uri string) func(*Settings) { return endpoint(FieldCIBANotificationEndpoint, uri) }
	const callback = "https://app.example.com/ciba"
	push := all(withCIBA(DeliveryPush, notify(callback)), func(s *Settings) { s.GrantTypes = nil })
	return map[string][]example{
		"ciba-mode-unknown": {
			{name: "unknown", edit: withCIBA("pull"), at: "/backchannel_token_delivery_mode"},
			{name: "another case", edit: withCIBA("Poll"), at: "/backchannel_token_delivery_mode"},
			{name: "poll", edit: withCIBA(DeliveryPoll)},
			{name: "ping", edit: withCIBA(DeliveryPing, notify(callback))},
			{name: "push", edit: push},
		},
		"ciba-mode-undeclared": {
			{name: "none", edit: withCIBA(""), at: "/backchannel_token_delivery_mode"},
			{name: "poll", edit: withCIBA(DeliveryPoll)},
			{name: "no CIBA"},
		},
		"ciba-mode-grant": {
			{name: "poll", edit: setting(FieldCIBADeliveryMode, "poll"), at: "/backchannel_token_delivery_mode"},
			{name: "ping", edit: all(setting(FieldCIBADeliveryMode, "ping"), notify(callback)), at: "/backchannel_token_delivery_mode"},
			{name: "push needs no grant", edit: push},
			{name: "poll with the grant", edit: withCIBA(DeliveryPoll)},
		},
		"ciba-endpoint": {
			{name: "ping without one", edit: withCIBA(DeliveryPing), at: "/backchannel_client_notification_endpoint"},
			{name: "push without one", edit: withCIBA(DeliveryPush), at: "/backchannel_client_notification_endpoint"},
			{name: "http", edit: withCIBA(DeliveryPing, notify("http://app.example.com/")), at: "/backchannel_client_notification_endpoint"},
			{name: "fragment", edit: withCIBA(DeliveryPing, notify(callback+"#")), at: "/backchannel_client_notification_endpoint"},
			{name: "relative", edit: withCIBA(DeliveryPing, notify("/ciba")), at: "/backchannel_client_notification_endpoint"},
			{name: "ping", edit: withCIBA(DeliveryPing, notify(callback))},
			{name: "poll needs none", edit: withCIBA(DeliveryPoll)},
		},
		"ciba-endpoint-address": callbackAddressExamples(func(uri string) func(*Settings) {
			return withCIBA(DeliveryPing, notify(uri))
		}, "/backchannel_client_notification_endpoint"),
		"ciba-endpoint-unused": {
			{name: "poll", edit: withCIBA(DeliveryPoll, notify(callback)), at: "/backchannel_client_notification_endpoint"},
			{name: "ping", edit: withCIBA(DeliveryPing, notify(callback))},
		},
		"ciba-push-fapi": {
			{name: "Baseline", profile: ProfileFAPI1Baseline, edit: push, at: "/backchannel_token_delivery_mode"},
			{name: "Message Signing", profile: ProfileFAPI2MessageSigning, edit: push, at: "/backchannel_token_delivery_mode"},
			{name: "no profile", edit: push},
			{name: "ping", profile: ProfileFAPI1Advanced, edit: withCIBA(DeliveryPing, notify(callback))},
		},
		"ciba-unused": {
			{name: "endpoint", edit: notify(callback), at: "/backchannel_client_notification_endpoint"},
			{name: "algorithm", edit: setting(FieldCIBARequestSigningAlg, "ES256"), at: "/backchannel_authentication_request_signing_alg"},
			{name: "user code", edit: setting(FieldCIBAUserCode, true), at: "/backchannel_user_code_parameter"},
			{name: "back-channel logout is not CIBA", edit: endpoint(FieldBackchannelLogoutURI, callback)},
			{name: "with the grant", edit: withCIBA(DeliveryPing, notify(callback), setting(FieldCIBAUserCode, true))},
			{name: "with push alone", edit: all(push, setting(FieldCIBAUserCode, true))},
		},
	}
}
