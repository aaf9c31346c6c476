package main_test

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// browser is a headless Chromium. It records console errors and requested URLs.
type browser struct {
	context.Context

	mu        sync.Mutex
	errors    []string
	requested []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox,
		chromedp.WindowSize(1400, 1600), chromedp.Flag("disable-dev-shm-usage", true))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{Context: ctx}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch event := event.(type) {
		case *log.EventEntryAdded: // includes violations of the Content-Security-Policy
			b.errors = append(b.errors, event.Entry.Text)
		case *runtime.EventExceptionThrown:
			b.errors = append(b.errors, event.ExceptionDetails.Text)
		case *network.EventRequestWillBeSent:
			b.requested = append(b.requested, event.Request.URL)
		}
	}))
	return b
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.Fail(t, "Chromium is missing (Debian: chromium)")
	return ""
}

// fill replaces the content of an input.
func fill(input, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
		const input = document.querySelector(%q);
		input.focus();
		Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), "value").set.call(input, %q);
		input.dispatchEvent(new Event("input", {bubbles: true}));
		input.blur(); // the page reads the input after a pause in typing, or on blur
	})()`, input, text))
}

// The documentation page can authorize with a token and update a client.
func TestTheDocumentationPageUpdatesAClient(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	admin := p.as(t, adminToken(t, data))
	id := create(t, admin)
	b := newBrowser(t)

	const operation = `#operations-clients-updateClient `
	ctx, cancel := context.WithTimeout(b, time.Minute)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(p.URL+"/docs"),
		chromedp.WaitVisible(chromedp.CSS(`.swagger-ui .btn.authorize`)),
		chromedp.Click(chromedp.CSS(`.swagger-ui .btn.authorize`)),
		chromedp.SendKeys(chromedp.CSS(`.auth-container input`), adminToken(t, data)),
		chromedp.Click(chromedp.CSS(`.auth-btn-wrapper .authorize`)),
		chromedp.Click(chromedp.CSS(`.auth-btn-wrapper .btn-done`)),
		chromedp.Click(chromedp.CSS(operation+`.opblock-summary-control`)),
		chromedp.Click(chromedp.CSS(operation+`.try-out__btn`)),
		fill(operation+`tr[data-param-name="client_id"] input`, id),
		fill(operation+`textarea.body-param__text`, `{"name": "Renamed by a click"}`),
		chromedp.Click(chromedp.CSS(operation+`.execute`)),
		chromedp.WaitVisible(chromedp.CSS(operation+`.live-responses-table .response`)),
	))
	shown, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(operation+`.live-responses-table`)))
	require.NoError(t, err)
	assert.Contains(t, shown, "client updated")
	read, err := admin.GetClientWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	assert.Equal(t, "Renamed by a click", *read.JSON200.Data.Name)
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.errors)
	for _, url := range b.requested {
		assert.True(t, strings.HasPrefix(url, p.URL) || strings.HasPrefix(url, "data:"), "the page requests %s", url)
	}
}

// The page of the rules has an anchor for the id of every rule that a response can name.
func TestEveryRuleHasAnAnchor(t *testing.T) {
	p := start(t, "--dev", "--data", t.TempDir())
	response, err := http.Get(p.URL + "/docs/rules")
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	policy := response.Header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'")
	assert.Contains(t, policy, "script-src 'self';")
	assert.NotContains(t, policy, "unsafe")
	_, page := read(t, p.URL+"/docs/rules")
	ids := []string{"contract"}
	for _, rule := range domain.PublishedRules() {
		ids = append(ids, rule.ID)
	}
	for _, id := range ids {
		assert.Equal(t, 1, strings.Count(page, `<tr id="`+id+`">`), id)
	}

	ctx, cancel := context.WithTimeout(newBrowser(t), time.Minute)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(p.URL+"/docs/rules#jwks-exclusive")))
	highlighted, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(`tr:target td:first-child`)))
	require.NoError(t, err)
	assert.Equal(t, "jwks-exclusive", highlighted)
}

func TestDocumentationStatusesAndEncoding(t *testing.T) {
	p := start(t, "--dev", "--data", t.TempDir())
	for path, status := range map[string]int{
		"/docs": 200, "/docs/": 200, "/docs/rules": 200, "/docs/assets/swagger-ui.css": 200, "/docs/assets/start.js": 200,
		"/docs/nothing": 404, "/docs/assets/../../etc/passwd": 404, "/docs/assets/": 404,
	} {
		got, _ := read(t, p.URL+path)
		assert.Equal(t, status, got, path)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/docs/assets/swagger-ui-bundle.js", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Accept-Encoding", "identity")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Empty(t, response.Header.Get("Content-Encoding"))
	head := make([]byte, 12)
	_, err = response.Body.Read(head)
	require.NoError(t, err)
	assert.Equal(t, "/*! For lice", string(head))
}
