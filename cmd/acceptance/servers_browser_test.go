//go:build acceptance

package acceptance_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

const (
	user, password = "alice", "password" // of every server
	// maxPages is the maximum number of pages from the authorization request to the
	// response: log-in and consent, with redirects between them.
	maxPages = 20
)

// browser does what a person with a browser does: it keeps cookies, follows redirects, and
// fills in and submits the first form of a page.
type browser struct {
	client http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{http.Client{
		Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is what a browser shows, or the response at a redirect URI.
type page struct {
	status   int
	address  *url.URL
	text     string
	form     *form      // the first one, or nil
	returned url.Values // parameters of the redirect to the client, or nil
}

// form is an HTML form, filled in.
type form struct {
	method, action string
	fields         url.Values
	password       bool // it asks for a password
}

func (p *page) String() string {
	if p.returned != nil {
		return "redirect to the client with " + p.returned.Encode()
	}
	text := strings.Join(strings.Fields(p.text), " ")
	return fmt.Sprintf("%d at %s://%s%s: %.300s", p.status, p.address.Scheme, p.address.Host, p.address.Path, text)
}

// asksForPassword reports whether the server has accepted the authorization request, and
// shows its log-in.
func (p *page) asksForPassword() bool { return p.form != nil && p.form.password }

// open requests a page and follows redirects, until the page is not a redirect or the
// client with the redirect URI would be called.
func (b *browser) open(ctx context.Context, method, address string, fields url.Values, redirectURI string) (*page, error) {
	for range maxPages {
		var body io.Reader = http.NoBody
		if method == http.MethodPost {
			body = strings.NewReader(fields.Encode())
		}
		request, err := http.NewRequestWithContext(ctx, method, address, body)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Accept", "text/html")
		if method == http.MethodPost {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		response, err := b.client.Do(request)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		_ = response.Body.Close()
		if err != nil {
			return nil, err
		}
		location, err := response.Location()
		if err != nil { // not a redirect
			shown := &page{status: response.StatusCode, address: request.URL, text: string(text)}
			shown.form, err = firstForm(string(text))
			return shown, err
		}
		if before, _, _ := strings.Cut(location.String(), "?"); before == redirectURI {
			return &page{status: response.StatusCode, address: location, returned: location.Query()}, nil
		}
		method, address = http.MethodGet, location.String()
		if location.Hostname() != request.URL.Hostname() {
			return nil, fmt.Errorf("the server redirects to %s", location)
		}
	}
	return nil, fmt.Errorf("more than %d redirects, the last one to %s", maxPages, address)
}

// authorize sends an authorization request, logs in and consents, until the client gets
// its response. The page without one is an error.
func (b *browser) authorize(ctx context.Context, address, redirectURI string) (url.Values, error) {
	shown, err := b.open(ctx, http.MethodGet, address, nil, redirectURI)
	for range maxPages {
		if err != nil {
			return nil, err
		}
		if shown.returned != nil {
			return shown.returned, nil
		}
		if shown.form == nil {
			return nil, fmt.Errorf("a page without a form: %s", shown)
		}
		target, parseErr := shown.address.Parse(shown.form.action)
		if parseErr != nil {
			return nil, parseErr
		}
		if shown.form.method == http.MethodGet {
			target.RawQuery = shown.form.fields.Encode()
		}
		shown, err = b.open(ctx, shown.form.method, target.String(), shown.form.fields, redirectURI)
	}
	return nil, fmt.Errorf("more than %d forms, the last one in %s", maxPages, shown)
}

// firstForm returns the first form of a page, filled in with the name and the password of
// the user, and with its first named button pressed. It returns nil if there is none.
func firstForm(text string) (*form, error) {
	document, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	for node := range document.Descendants() {
		if node.Type != html.ElementNode || node.Data != "form" {
			continue
		}
		f := &form{method: strings.ToUpper(attribute(node, "method")), action: attribute(node, "action"), fields: url.Values{}}
		if f.method == "" {
			f.method = http.MethodGet
		}
		pressed := false
		for input := range node.Descendants() {
			if input.Type == html.ElementNode && (input.Data == "input" || input.Data == "button") {
				pressed = f.fill(input, pressed)
			}
		}
		return f, nil
	}
	return nil, nil //nolint:nilnil // a page without a form is not an error
}

// fill sets one field. It returns whether a button has been pressed.
func (f *form) fill(input *html.Node, pressed bool) bool {
	name, value := attribute(input, "name"), attribute(input, "value")
	kind := attribute(input, "type")
	if input.Data == "button" && kind == "" {
		kind = "submit"
	}
	f.password = f.password || kind == "password"
	switch {
	case name == "":
	case kind == "submit":
		if !pressed {
			f.fields.Set(name, value)
		}
		return true
	case kind == "button", kind == "reset":
	case name == "username":
		f.fields.Set(name, user)
	case name == "password":
		f.fields.Set(name, password)
	case kind == "checkbox" && value == "":
		f.fields.Add(name, "on")
	default: // hidden fields; every offered scope of a consent page
		f.fields.Add(name, value)
	}
	return pressed
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
