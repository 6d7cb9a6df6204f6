package httpapi

import (
	"encoding"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/trefoil-im/trefoil/relay/api"
)

// form is where the parts of a request travel.
type form struct {
	path, query []param
	body        any // a pointer to what is the body; nil if there is none
	octets      bool
}

// param is a part of an address.
type param struct {
	name  string
	value reflect.Value
}

// formOf returns the form of a pointer to a struct.
func formOf(in any) (f form) {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		tag, to := v.Type().Field(i).Tag, v.Field(i)
		if name, ok := tag.Lookup("path"); ok {
			f.path = append(f.path, param{name, to})
		} else if name, ok := tag.Lookup("query"); ok {
			f.query = append(f.query, param{name, to})
		} else if kind, ok := tag.Lookup("body"); ok {
			f.body, f.octets = to.Addr().Interface(), kind == "octets"
		} else {
			f.body = in
		}
	}
	return f
}

// readAddress reads the path and the query.
func (f form) readAddress(req *http.Request) error {
	for _, p := range f.path {
		if err := p.read(req.PathValue(p.name)); err != nil {
			return err
		}
	}
	given, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return malformed("query")
	}
	for _, p := range f.query {
		values := given[p.name]
		delete(given, p.name)
		if len(values) > 1 {
			return malformed("query: " + p.name + " twice")
		}
		if len(values) == 1 {
			if err := p.read(values[0]); err != nil {
				return err
			}
		}
	}
	if len(given) > 0 {
		return malformed("query: there is more than the route names")
	}
	return nil
}

// read sets the value from its text.
func (p param) read(text string) (err error) {
	switch v := p.value.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		err = v.UnmarshalText([]byte(text))
	case *string:
		*v = text
	case *uint64: // no number of a relay reaches 2^62
		*v, err = strconv.ParseUint(text, 10, 62)
	case *int64:
		*v, err = strconv.ParseInt(text, 10, 64)
	default:
		err = fmt.Errorf("no parameter is a %T", v)
	}
	if err != nil {
		return malformed(p.name)
	}
	return nil
}

// text is what read reads.
func (p param) text() (string, error) {
	if v, ok := p.value.Interface().(encoding.TextMarshaler); ok {
		text, err := v.MarshalText()
		return string(text), err
	}
	return fmt.Sprint(p.value.Interface()), nil
}

// address returns the path and the query of a request. Parameters that are zero stay out of the query.
func (f form) address(path string) (string, error) {
	for _, p := range f.path {
		text, err := p.text()
		if err != nil {
			return "", err
		}
		path = strings.Replace(path, "{"+p.name+"}", url.PathEscape(text), 1)
	}
	query := make(url.Values)
	for _, p := range f.query {
		text, err := p.text()
		if err != nil {
			return "", err
		}
		if !p.value.IsZero() {
			query.Set(p.name, text)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", api.ErrMalformed, what) }
