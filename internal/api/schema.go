package api

import (
	"path"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// schemaName names the schema of a type. Types of different packages may have the same name.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	of := path.Base(t.PkgPath())
	if of == "sluice" || of == "api" || of == "." {
		return name
	}
	return strings.ToUpper(of[:1]) + of[1:] + strings.ToUpper(name[:1]) + name[1:]
}
