// Package numbered reads the numbered scripts that bring the schema of a store from one format to the next.
package numbered

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Script makes a schema have the format of its number.
type Script struct {
	Number int
	Text   string
}

// Read returns the scripts of a directory, such as 0002_inbox.sql, by their numbers. A name that does not begin with a
// number, a number that two scripts have, and a directory without scripts are errors.
func Read(files fs.FS, dir string) ([]Script, error) {
	names, err := fs.Glob(files, path.Join(dir, "*.sql"))
	if err != nil {
		return nil, err
	}
	var list []Script
	for _, name := range names {
		first, _, _ := strings.Cut(path.Base(name), "_")
		number, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("number of %s: %w", name, err)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		list = append(list, Script{number, string(text)})
	}
	slices.SortFunc(list, func(a, b Script) int { return cmp.Compare(a.Number, b.Number) })
	return list, check(list, dir)
}

func check(list []Script, dir string) error {
	if len(list) == 0 {
		return fmt.Errorf("no script is in %s", dir)
	}
	for i := 1; i < len(list); i++ {
		if list[i].Number == list[i-1].Number {
			return fmt.Errorf("two scripts in %s have the number %d", dir, list[i].Number)
		}
	}
	return nil
}
