package secret

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/regular"
)

// maxValue bounds the size of a secret's file.
const maxValue = 1 << 20

// Secrets returns the secrets of the sources. Each use reads them again, so a rotated secret is used at once.
func (r *Redactor) Secrets(sources map[string]config.Source) sluice.Secrets {
	return values{sources, r}
}

type values struct {
	sources  map[string]config.Source
	redactor *Redactor
}

// Secret returns the value. An unknown name is NotFound; the hint lists the names that exist.
func (v values) Secret(_ context.Context, name string) (string, error) {
	source, ok := v.sources[name]
	if !ok {
		return "", sluice.Errorf(sluice.NotFound, "there is no secret %q", name).
			WithHint("add it under secrets in sluice.yaml, like %s: {env: NAME}; known secrets: %s",
				name, cmp.Or(strings.Join(slices.Sorted(maps.Keys(v.sources)), ", "), "none"))
	}
	value, err := v.redactor.Read(source)
	if err != nil {
		return "", &sluice.Error{Code: sluice.ErrorCode(err), Op: "read secret " + name,
			Hint: sluice.ErrorHint(err), Err: err}
	}
	return value, nil
}

// Read returns the value of the source, which the redactor knows from then on. A line break at the end of a file is
// not part of the value.
func (r *Redactor) Read(s config.Source) (string, error) {
	value, err := read(s)
	r.Learn(value)
	return value, err
}

func read(s config.Source) (string, error) {
	if s.Env != "" {
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", sluice.Errorf(sluice.NotFound, "the environment variable %s is not set", s.Env).
				WithHint("set it before you start sluice: export %s=...", s.Env).At(s.Pos)
		}
		return value, nil
	}
	data, err := regular.File(s.File, maxValue)
	if errors.Is(err, regular.ErrTooLarge) {
		return "", sluice.Errorf(sluice.Invalid, "the secret's file %s is larger than 1 MiB", s.File).At(s.Pos)
	}
	if err != nil {
		return "", sluice.Errorf(sluice.NotFound, "the secret's file %s cannot be read: %w", s.File, err).At(s.Pos)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// isRegular reports whether the path names a file that can be read again and again, unlike a pipe.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
