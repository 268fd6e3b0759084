package numbered_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/sluice-cd/sluice/internal/numbered"
)

func files(names ...string) fstest.MapFS {
	all := fstest.MapFS{"migrations/README.md": {Data: []byte("not a script")}}
	for _, name := range names {
		all["migrations/"+name] = &fstest.MapFile{Data: []byte("text of " + name)}
	}
	return all
}

func TestScriptsComeByTheirNumbers(t *testing.T) {
	got, err := numbered.Read(files("10_readers.sql", "2_inbox.sql", "1_log.sql"), "migrations")
	want := []numbered.Script{{1, "text of 1_log.sql"}, {2, "text of 2_inbox.sql"}, {10, "text of 10_readers.sql"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestBadScriptsAreRefused(t *testing.T) {
	for want, names := range map[string][]string{
		"no script is in migrations":                                                    nil,
		"two scripts in migrations have the number 1":                                   {"1_log.sql", "01_inbox.sql"},
		`number of migrations/log.sql: strconv.Atoi: parsing "log.sql": invalid syntax`: {"log.sql"},
	} {
		if _, err := numbered.Read(files(names...), "migrations"); err == nil || err.Error() != want {
			t.Errorf("%q: %v", names, err)
		}
	}
}
