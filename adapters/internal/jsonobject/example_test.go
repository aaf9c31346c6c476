package jsonobject_test

import (
	"fmt"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
)

func ExampleWriter() {
	var w jsonobject.Writer
	w.Object("", func() {
		w.Text("name", "Shop")
		w.TextUnlessEmpty("website", "") // omitted
		jsonobject.Texts(&w, "scopes", []string{"openid", "email"})
		w.Array("secrets", func() {
			w.Object("", func() { w.Int("revision", 1) })
		})
	})
	fmt.Println(string(w))
	// Output: {"name":"Shop","scopes":["openid","email"],"secrets":[{"revision":1}]}
}
