package notify

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// schema/notification.json has the fields of the type, and requires those that are always there.
func TestTheSchemaHasTheFieldsOfTheType(t *testing.T) {
	text, err := os.ReadFile("../../schema/notification.json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Required   []string
		Properties map[string]json.RawMessage
	}
	var whole, failure object
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(whole.Properties["failure"], &failure); err != nil {
		t.Fatal(err)
	}
	for of, schema := range map[reflect.Type]object{reflect.TypeFor[Data](): whole, reflect.TypeFor[Failure](): failure} {
		var all, always []string
		for i := range of.NumField() {
			name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if all = append(all, name); options == "" {
				always = append(always, name)
			}
		}
		var named []string
		for name := range schema.Properties {
			named = append(named, name)
		}
		for _, list := range [][]string{all, always, named, schema.Required} {
			slices.Sort(list)
		}
		if diff := cmp.Diff([][]string{all, always}, [][]string{named, schema.Required}); diff != "" {
			t.Errorf("%s (-type +schema):\n%s", of.Name(), diff)
		}
	}
}
