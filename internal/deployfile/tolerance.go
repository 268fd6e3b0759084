package deployfile

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

// mostPods is more pods than a workload has.
const mostPods = 100_000

// percentage is below 100 %.
var percentage = regexp.MustCompile(`^[0-9]{1,2}%$`)

// tolerance returns how many pods may be unready: a whole number, or a percentage below 100.
func (f *fieldset) tolerance(key string) sluice.Tolerance {
	v := f.value(key, formTolerance)
	if v == nil {
		return sluice.Tolerance{}
	}
	if digits, ok := strings.CutSuffix(v.Value, "%"); ok && v.Kind == yaml.ScalarNode {
		n, err := strconv.Atoi(digits)
		if err == nil && !percentage.MatchString(v.Value) {
			f.p.error(v, codeOutOfRange, "write a percentage from 0% to 99%", "%s is %s", f.of(key), clip(v.Value))
		}
		if err == nil {
			return sluice.Tolerance{Percent: n}
		}
	}
	var n int
	if v.ShortTag() != "!!int" || v.Decode(&n) != nil {
		f.p.wrongType(v, f.of(key), "a number of pods or a percentage", "write it like 1 or 10%")
		return sluice.Tolerance{}
	}
	if n < 0 || n > mostPods {
		f.p.error(v, codeOutOfRange, "write it like 1 or 10%", "%s is %d", f.of(key), n)
	}
	return sluice.Tolerance{Pods: n}
}
