package httprelay

import (
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
	"github.com/trefoil-im/trefoil/relay/store"
)

// document is what is looked at of OpenAPI.
type document struct {
	Paths      map[string]map[string]operation
	Components struct {
		Schemas map[string]*schema
	}
}

type operation struct {
	OperationID string
	Security    *[]any
	Parameters  []struct {
		Ref, Name, In string `json:",omitempty"`
		Schema        *schema
	}
	RequestBody struct{ Content map[string]media }
	Responses   map[string]struct{ Content map[string]media }
}

type media struct{ Schema *schema }

type schema struct {
	Ref             string `json:"$ref"`
	Type            string
	ContentEncoding string
	Properties      map[string]*schema
	Required        []string
	Items           *schema
	Enum            []string
}

func readDocument(t *testing.T) (d document) {
	require.NoError(t, json.Unmarshal(httpapi.OpenAPI(), &d))
	return d
}

// The document describes every route of the handler, and no other: its path, its method, who may call it, its parameters, and
// all fields of what it takes and answers, with their types.
func TestOpenAPI(t *testing.T) {
	d := readDocument(t)
	h := New(relay.New(store.NewMemory(), relay.Options{}), Options{})
	described := make(map[string]operation)
	names := make(map[string]bool)
	for path, methods := range d.Paths {
		for method, op := range methods {
			described[strings.ToUpper(method)+" "+path] = op
			require.False(t, names[op.OperationID], "two operations are %s", op.OperationID)
			names[op.OperationID] = true
		}
	}
	var served []string
	for _, r := range h.routes {
		served = append(served, r.pattern)
	}
	require.ElementsMatch(t, served, slices.Collect(maps.Keys(described)))
	c := checker{t, d, make(map[string]bool)}
	for _, r := range h.routes {
		op := described[r.pattern]
		require.Equal(t, r.isOpen, op.Security != nil && len(*op.Security) == 0, "%s: who may call it", r.pattern)
		require.Contains(t, op.Responses, "default", r.pattern)
		if r.in != nil {
			c.request(r, op)
			c.answer(r, op)
		}
	}
	c.same("Problem", &schema{Ref: "#/components/schemas/Problem"}, reflect.TypeFor[httpapi.Problem]())
	for name := range d.Components.Schemas {
		require.True(t, c.used[name], "no route uses the schema %s", name)
	}
}

// checker compares types of Go with schemas.
type checker struct {
	*testing.T
	d    document
	used map[string]bool // schemas
}

func (c checker) request(r route, op operation) {
	want := make(map[string]reflect.Type)
	var body reflect.Type
	isOctets := false
	for f := range fields(r.in) {
		if name, ok := f.Tag.Lookup("path"); ok {
			want["path "+name] = f.Type
		} else if name, ok := f.Tag.Lookup("query"); ok {
			want["query "+name] = f.Type
		} else if kind, ok := f.Tag.Lookup("body"); ok {
			body, isOctets = f.Type, kind == "octets"
		} else {
			body = r.in
		}
	}
	var got []string
	for _, p := range op.Parameters {
		if p.Name == "" {
			continue // the version
		}
		got = append(got, p.In+" "+p.Name)
		require.Contains(c, want, p.In+" "+p.Name, r.pattern)
		c.same(r.pattern+" "+p.Name, p.Schema, want[p.In+" "+p.Name])
	}
	require.ElementsMatch(c, slices.Collect(maps.Keys(want)), got, r.pattern)
	switch {
	case body == nil:
		require.Empty(c, op.RequestBody.Content, r.pattern)
	case isOctets:
		require.Contains(c, op.RequestBody.Content, "application/octet-stream", r.pattern)
	default:
		c.same(r.pattern, op.RequestBody.Content["application/json"].Schema, body)
	}
}

func (c checker) answer(r route, op operation) {
	switch r.out {
	case reflect.TypeFor[none]():
		require.Contains(c, op.Responses, "204", r.pattern)
	case reflect.TypeFor[httpapi.Piece]():
		require.Contains(c, op.Responses["200"].Content, "application/octet-stream", r.pattern)
	case reflect.TypeFor[json.RawMessage]():
		require.Contains(c, op.Responses["200"].Content, "application/json", r.pattern)
	default:
		c.same(r.pattern, op.Responses["200"].Content["application/json"].Schema, r.out)
	}
}

// same compares a schema with a type, and what they consist of.
func (c checker) same(where string, s *schema, t reflect.Type) {
	require.NotNil(c, s, where)
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		require.Contains(c, c.d.Components.Schemas, name, where)
		c.used[name] = true
		s = c.d.Components.Schemas[name]
	}
	kind, form := kindOf(t)
	require.Equal(c, kind, s.Type, where)
	require.Equal(c, form, s.ContentEncoding, where)
	switch kind {
	case "array":
		c.same(where+" items", s.Items, t.Elem())
	case "object":
		var want []string
		for f := range fields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			want = append(want, name)
			require.Contains(c, s.Properties, name, where)
			c.same(where+"."+name, s.Properties[name], f.Type)
		}
		require.ElementsMatch(c, want, slices.Collect(maps.Keys(s.Properties)), where)
		require.Subset(c, want, s.Required, where)
	}
}

// kindOf returns what JSON makes of a type.
func kindOf(t reflect.Type) (kind, contentEncoding string) {
	switch {
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return "string", ""
	case t == reflect.TypeFor[[]byte]():
		return "string", "base64"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "array", ""
	case reflect.Struct:
		return "object", ""
	case reflect.Bool:
		return "boolean", ""
	case reflect.String:
		return "string", ""
	}
	return "integer", ""
}

// fields yields the fields of a struct, and those of structs that are embedded in it.
func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if !f.Anonymous && !yield(f) {
				return
			}
		}
	}
}
