package manifest

import (
	"strings"

	"github.com/sluice-cd/sluice"
)

const sealed = "sluice-sealed:"

// lastApplied is the annotation in which kubectl apply keeps its input.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// SealSecrets seals every value of every Secret, in place. Sealed values stay as they are.
func SealSecrets(objs []sluice.Object, s sluice.Sealer) error {
	return eachSecret(objs, func(value string) (string, error) {
		if rest, ok := strings.CutPrefix(value, sealed); ok {
			// A plain value may begin like a sealed one by chance; a sealed value can be opened.
			if _, err := s.Open(rest); err == nil {
				return value, nil
			}
		}
		hidden, err := s.Seal(value)
		return sealed + hidden, err
	})
}

// OpenSecrets reverses [SealSecrets], in place. Values that are not sealed stay as they are.
func OpenSecrets(objs []sluice.Object, s sluice.Sealer) error {
	return eachSecret(objs, func(value string) (string, error) {
		rest, ok := strings.CutPrefix(value, sealed)
		if !ok {
			return value, nil
		}
		return s.Open(rest)
	})
}

func isSecret(o sluice.Object) bool { return o.Text("kind") == "Secret" && group(o) == "" }

func eachSecret(objs []sluice.Object, change func(string) (string, error)) error {
	for _, o := range objs {
		if !isSecret(o) {
			continue
		}
		for _, field := range []string{"data", "stringData"} {
			if err := changeValues(o, field, change); err != nil {
				return err
			}
		}
		// kubectl apply keeps a copy of the values there.
		if v := o.Text("metadata", "annotations", lastApplied); v != "" {
			hidden, err := change(v)
			if err != nil {
				return sealError(o, "its annotation "+lastApplied, err)
			}
			o.Set(hidden, "metadata", "annotations", lastApplied)
		}
	}
	return nil
}

func sealError(o sluice.Object, what string, err error) error {
	return &sluice.Error{Code: sluice.ErrorCode(err), Op: "seal " + o.Ref().String(),
		Message: what + " cannot be sealed or opened", Hint: sluice.ErrorHint(err), Err: err}
}

func changeValues(o sluice.Object, field string, change func(string) (string, error)) error {
	m, isMap := o.Field(field).(map[string]any)
	if !isMap && o.Field(field) != nil {
		return sluice.Errorf(sluice.Invalid, "%s of %s is not a map of keys and values", field, o.Ref()).
			WithHint("write it like %s: {password: \"...\"}", field)
	}
	for key, v := range m {
		plain, ok := v.(string)
		if !ok && v != nil {
			return sluice.Errorf(sluice.Invalid, "%s.%s of %s is not text", field, key, o.Ref()).
				WithHint("put the value in quotes")
		}
		value, err := change(plain)
		if err != nil {
			return sealError(o, "the value of "+field+"."+key, err)
		}
		m[key] = value
	}
	return nil
}
