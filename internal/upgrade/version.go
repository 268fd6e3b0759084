package upgrade

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A series is a release series of MongoDB, such as 7.0.
type series struct {
	major, minor int // minor -1: not said
}

func (s series) String() string {
	if s.minor < 0 {
		return strconv.Itoa(s.major)
	}
	return fmt.Sprintf("%d.%d", s.major, s.minor)
}

func (s series) less(other series) bool {
	return cmp.Or(cmp.Compare(s.major, other.major), cmp.Compare(s.minor, other.minor)) < 0
}

// early are the major series before 5.0. Since then each first series of a number is one.
var early = []series{{3, 4}, {3, 6}, {4, 0}, {4, 2}, {4, 4}, {5, 0}}

// before returns the oldest series whose data the series can open. For 8.2 that is 8.0, for 8.0 it is 7.0.
func (s series) before() series {
	if i := slices.Index(early, s); i > 0 {
		return early[i-1]
	}
	if s.major < 5 {
		return series{} // not known, so nothing is too old
	}
	if s.minor > 0 {
		return series{s.major, 0}
	}
	if s.major == 5 {
		return early[len(early)-2]
	}
	return series{s.major - 1, 0}
}

// next returns the next major series.
func (s series) next() series {
	for _, e := range early {
		if s.less(e) {
			return e
		}
	}
	return series{s.major + 1, 0}
}

// A version is one of MongoDB. patch is -1 if it is not said.
type version struct {
	series
	patch int
}

func (v version) String() string {
	if v.patch < 0 {
		return v.series.String()
	}
	return fmt.Sprintf("%s.%d", v.series, v.patch)
}

// The ways in which the series of two versions relate.
const (
	older = -1
	same  = 0
	newer = 1
)

// against compares the series. One that does not say its minor number is the same as every other of its major one.
func (v version) against(other version) int {
	if v.major == other.major && (v.minor < 0 || other.minor < 0) {
		return same
	}
	return cmp.Or(cmp.Compare(v.major, other.major), cmp.Compare(v.minor, other.minor))
}

// numbers matches a version at the beginning of a tag, such as 7, 7.0, v7.0.14 or 7.0.14-debian-12-r0.
var numbers = regexp.MustCompile(`^v?(\d{1,2})(?:\.(\d{1,2}))?(?:\.(\d{1,3}))?(?:[-. ].*)?$`)

func parse(text string) (version, bool) {
	found := numbers.FindStringSubmatch(text)
	if found == nil {
		return version{}, false
	}
	return version{series{number(found[1]), number(found[2])}, number(found[3])}, true
}

func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

// servers are the names of images whose tags are versions of MongoDB.
var servers = []string{
	"mongo", "mongodb", "mongodb-community-server", "mongodb-enterprise-server", "percona-server-mongodb",
}

// versionOf returns the version of MongoDB that the image's tag names.
func versionOf(image string) (version, bool) {
	image, _, _ = strings.Cut(image, "@")
	name, tag, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	if !slices.Contains(servers, name) {
		return version{}, false
	}
	return parse(tag)
}
