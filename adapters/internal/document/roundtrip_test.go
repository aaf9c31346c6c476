package document_test

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// texts generates all kinds of strings, including invalid UTF-8, control characters,
// quotes and escapes.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringN(0, 20, -1),
		rapid.SampledFrom([]string{"", "\x00", "\xff", "a\xc0\xafb", "\ud7ff\ufffd\uffff", `"\`, "\u2028\r\n\t\x1f\x7f", "<script>&", "😀", `{"keys":[]}`}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
	)
}

// times generates times in UTC, most of them within the years that can be stored, and
// many near the limits.
func times() *rapid.Generator[time.Time] {
	const first, last = -62135596800, 253402300799 // the years 1 to 9999, in seconds since 1970
	return rapid.OneOf(
		rapid.Just(time.Time{}),
		rapid.Custom(func(t *rapid.T) time.Time {
			return time.Unix(rapid.Int64Range(first-1, last+1).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
		}),
		rapid.Custom(func(t *rapid.T) time.Time {
			boundary := rapid.SampledFrom([]int64{first, last + 1}).Draw(t, "boundary")
			return time.Unix(boundary+rapid.Int64Range(-2, 2).Draw(t, "seconds"), 0).UTC()
		}),
	)
}

// states generates states with values in every exported field. It uses reflection, so
// that new fields are included.
func states() *rapid.Generator[domain.State] {
	return rapid.Custom(func(t *rapid.T) domain.State {
		var state domain.State
		fill(t, reflect.ValueOf(&state).Elem(), "state")
		return state
	})
}

func fill(t *rapid.T, v reflect.Value, name string) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(times().Draw(t, name)))
		return
	case domain.KeySource:
		text := texts().Draw(t, name)
		source := domain.InlineKeys(text)
		if rapid.Bool().Draw(t, name+" at a URI") {
			source = domain.KeysAt(text)
		}
		v.Set(reflect.ValueOf(source))
		return
	case domain.MaxAge:
		v.Set(reflect.ValueOf(domain.MaxAgeOf(rapid.Int64Range(-1, 1<<40).Draw(t, name))))
		return
	case domain.Change:
		v.Set(reflect.ValueOf(changes().Draw(t, name)))
		return
	case domain.FieldSet:
		v.Set(reflect.ValueOf(domain.FieldsOf(rapid.SliceOfN(fields(), 0, 3).Draw(t, name)...)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts().Draw(t, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, name))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, name+" is set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), name)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), name)
		}
	case reflect.Uint8:
		v.SetUint(uint64(rapid.Byte().Draw(t, name)))
	case reflect.Slice: // an empty list is nil
		n := rapid.IntRange(0, 3).Draw(t, name+" length")
		for range n {
			element := reflect.New(v.Type().Elem()).Elem()
			fill(t, element, name)
			v.Set(reflect.Append(v, element))
		}
	case reflect.Map: // an empty map is nil
		for _, key := range rapid.SliceOfN(texts(), 0, 3).Draw(t, name) {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			value := reflect.New(v.Type().Elem()).Elem()
			fill(t, value, name)
			v.SetMapIndex(reflect.ValueOf(key), value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), name+"."+v.Type().Field(i).Name)
		}
	default:
		t.Fatalf("%s has the kind %s, which this test does not support", name, v.Kind())
	}
}

func fields() *rapid.Generator[domain.Field] {
	return rapid.Map(rapid.IntRange(0, int(domain.LastField)), func(n int) domain.Field { return domain.Field(n) })
}

// changes generates changes that set some fields and clear others.
func changes() *rapid.Generator[domain.Change] {
	return rapid.Custom(func(t *rapid.T) (c domain.Change) {
		for _, f := range rapid.SliceOfN(fields(), 0, 4).Draw(t, "fields") {
			v := c.Set(f)
			if !rapid.Bool().Draw(t, f.String()+" is set") {
				continue
			}
			switch v := v.(type) {
			case *domain.Text:
				*v = domain.Text(texts().Draw(t, f.String()))
			case *domain.Flag:
				*v = true
			case domain.Texts:
				v.SetTexts(rapid.SliceOfN(texts(), 0, 3).Draw(t, f.String()))
			case domain.Integer:
				v.SetInt(rapid.Int64Range(-1, 1<<40).Draw(t, f.String()))
			case *domain.Map:
				if texts := rapid.MapOfN(texts(), texts(), 0, 3).Draw(t, f.String()); len(texts) > 0 {
					*v = texts
				}
			}
		}
		return c
	})
}

// stored returns the state as it is read again after it was stored.
func stored(state domain.State) (domain.State, error) {
	client := domain.Restore(state)
	doc, secrets, err := document.Encode(client)
	if err != nil {
		return domain.State{}, err
	}
	registration, err := document.EncodeRegistration(client)
	if err != nil {
		return domain.State{}, err
	}
	back, err := document.Row{
		TenantID: state.Identity.TenantID, ClientID: state.Identity.ClientID, Revision: state.Revision,
		Document: doc, Secrets: secrets, Registration: registration,
	}.Decode()
	return back.State(), err
}

func TestDecodeReturnsTheEncodedState(t *testing.T) {
	accepted, rejected := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		state := states().Draw(t, "state")
		if rapid.IntRange(0, 3).Draw(t, "clean") > 0 { // most states can be stored
			state = cleaned(state)
		}
		back, err := stored(state)
		if err != nil {
			rejected++
			require.ErrorIs(t, err, application.ErrUnstorable)
			return
		}
		accepted++
		state.SecretsUnreadable = false // it depends on what is stored
		assert.Equal(t, state, back)
	})
	assert.Positive(t, accepted)
	assert.Positive(t, rejected)
}

// cleaned replaces the values that cannot be stored.
func cleaned(state domain.State) domain.State {
	clean(reflect.ValueOf(&state).Elem())
	if state.SecretsUnreadable {
		state.Secrets = nil
	}
	for i := range state.Secrets {
		if s := &state.Secrets[i]; s.UpdatedAt.IsZero() {
			s.UpdatedAt = s.CreatedAt
		}
	}
	state.Settings.Keys = domain.InlineKeys(cleanText(state.Settings.Keys.Inline()))
	return state
}

func clean(v reflect.Value) {
	if c, ok := reflect.TypeAssert[domain.Change](v); ok {
		v.Set(reflect.ValueOf(cleanChange(c)))
		return
	}
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		if !domain.Storable(t) {
			v.Set(reflect.ValueOf(time.Time{}))
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(cleanText(v.String()))
	case reflect.Slice:
		for i := range v.Len() {
			clean(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			clean(v.Elem())
		}
	case reflect.Int, reflect.Int64: // of a policy, which is written for people: seconds
		if v.Type() == reflect.TypeFor[time.Duration]() {
			v.SetInt(v.Int() >> 32 & 0xffff * int64(time.Second))
		} else {
			v.SetInt(v.Int() >> 16)
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		cleaned := reflect.MakeMap(v.Type())
		for key, value := range v.Seq2() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(value)
			clean(element)
			cleaned.SetMapIndex(reflect.ValueOf(cleanText(key.String())), element)
		}
		v.Set(cleaned)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[domain.KeySource]() || v.Type() == reflect.TypeFor[domain.MaxAge]() {
			return
		}
		for _, field := range v.Fields() {
			clean(field)
		}
	default:
	}
}

func cleanChange(c domain.Change) domain.Change {
	for f := range c.Named().All() {
		switch v := c.Set(f).(type) {
		case *domain.Text:
			*v = domain.Text(cleanText(string(*v)))
		case domain.Texts:
			var texts []string
			for i := range v.Len() {
				texts = append(texts, cleanText(v.Text(i)))
			}
			v.SetTexts(texts)
		case *domain.Map:
			texts := domain.Map{}
			for name, text := range *v {
				texts[cleanText(name)] = cleanText(text)
			}
			if len(texts) > 0 {
				*v = texts
			}
		}
	}
	return c
}

func cleanText(s string) string { return strings.ToValidUTF8(s, string(utf8.RuneError)) }

func TestTimesAreDecodedInUTC(t *testing.T) {
	state := full()
	state.CreatedAt = state.CreatedAt.In(time.FixedZone("", -5*3600))
	doc, secrets, err := document.Encode(domain.Restore(state))
	require.NoError(t, err)
	back, err := document.Decode(doc, secrets)
	require.NoError(t, err)
	assert.Equal(t, state.CreatedAt.UTC(), back.CreatedAt())

	state.Secrets[0].ExpiresAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -5*3600))
	_, _, err = document.Encode(domain.Restore(state))
	require.ErrorIs(t, err, application.ErrUnstorable, "in UTC it is in the year 10000")
}

func TestUnstorableRevisionsAndIdempotencyRecords(t *testing.T) {
	at := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	require.NoError(t, document.CheckRevision(domain.Revision{At: at, Reason: "größer"}))
	require.NoError(t, document.CheckIdempotencyRecord(application.IdempotencyRecord{At: at, Key: "k"}))
	far := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, r := range map[string]domain.Revision{
		"time":       {At: far},
		"action":     {At: at, Action: "\xff"},
		"subject":    {At: at, Actor: domain.Actor{Subject: "a\xc0"}},
		"client":     {At: at, Actor: domain.Actor{ClientID: "a\xff"}},
		"via":        {At: at, Actor: domain.Actor{Via: "\xff"}},
		"token":      {At: at, Actor: domain.Actor{TokenID: "\xff"}},
		"issuer":     {At: at, Actor: domain.Actor{IssuedBy: "\xff"}},
		"software":   {At: at, Actor: domain.Actor{SoftwareID: "\xff"}},
		"request":    {At: at, RequestID: "\xff"},
		"reason":     {At: at, Reason: "\xed\xa0\x80"},
		"unreadable": {At: at, Unreadable: true},
	} {
		require.ErrorIs(t, document.CheckRevision(r), application.ErrUnstorable, name)
	}
	for name, a := range map[string]application.IdempotencyRecord{
		"time": {At: far}, "key": {At: at, Key: "\xff"}, "subject": {At: at, Subject: "\xff"},
		"client": {At: at, ClientID: "\xff"}, "secret": {At: at, CreatedID: "\xff"},
	} {
		require.ErrorIs(t, document.CheckIdempotencyRecord(a), application.ErrUnstorable, name)
	}
}

// The test sets each field alone to each value that cannot be stored.
func TestEachUnstorableValueIsRejectedInEachField(t *testing.T) {
	tried := 0
	for _, base := range []func() domain.State{full, func() domain.State {
		state := full()
		state.Settings.Keys = domain.KeysAt("https://a.example/jwks")
		return state
	}, func() domain.State {
		return domain.State{Identity: full().Identity, Registration: fullRegistration()}
	}} {
		pristine := base()
		for leaf := range leaves(reflect.ValueOf(&pristine).Elem(), "state") {
			for _, value := range wrongValues(leaf) {
				state := base()
				for l, v := range leaves(reflect.ValueOf(&state).Elem(), "state") {
					if l == leaf {
						v.Set(reflect.ValueOf(value).Convert(v.Type()))
					}
				}
				tried++
				back, err := stored(state)
				if err != nil {
					require.ErrorIs(t, err, application.ErrUnstorable, leaf)
					continue
				}
				assert.Equal(t, state, back, "%s = %v", leaf, value)
			}
		}
	}
	assert.Greater(t, tried, 200)
}

// wrongValues returns values that cannot be stored, or almost not, for a leaf. Its name
// ends with its kind.
func wrongValues(leaf string) []any {
	kind := leaf[strings.LastIndexByte(leaf, ' ')+1:]
	switch kind {
	case "time":
		return []any{
			time.Time{},
			time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
			time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		}
	case "inline":
		return []any{domain.InlineKeys("\xff"), domain.InlineKeys("\x00")}
	case "uri":
		return []any{domain.KeysAt("\xff"), domain.KeysAt("\x00")}
	case "map":
		return []any{map[string]string{"\xff": "a"}, map[string]string{"a": "\xff"}, map[string]string{"\x00": "\x00"}, map[string]string{"": ""}}
	case "string":
		return []any{"\xff", "a\xed\xa0\x80", "\x00", "", `"\`}
	default:
		return nil
	}
}

// leaves yields the fields of a value that are times, texts or key sources. Their names
// end with their kind.
func leaves(v reflect.Value, name string) func(yield func(string, reflect.Value) bool) {
	return func(yield func(string, reflect.Value) bool) { eachLeaf(v, name, yield) }
}

func eachLeaf(v reflect.Value, name string, yield func(string, reflect.Value) bool) bool {
	switch value := v.Interface().(type) {
	case time.Time:
		return yield(name+" time", v)
	case domain.KeySource:
		if value.URI() != "" {
			return yield(name+" uri", v)
		}
		return yield(name+" inline", v)
	case domain.MaxAge, domain.Change, domain.FieldSet:
		return true
	case map[string]string:
		return yield(name+" map", v)
	}
	switch v.Kind() {
	case reflect.String:
		return yield(name+" string", v)
	case reflect.Slice:
		for i := range v.Len() {
			if !eachLeaf(v.Index(i), name, yield) {
				return false
			}
		}
	case reflect.Pointer:
		return v.IsNil() || eachLeaf(v.Elem(), name, yield)
	case reflect.Struct:
		for i := range v.NumField() {
			if !eachLeaf(v.Field(i), name+"."+v.Type().Field(i).Name, yield) {
				return false
			}
		}
	default:
	}
	return true
}
