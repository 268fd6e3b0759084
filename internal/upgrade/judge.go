package upgrade

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// A Verdict says how the change of a server's image goes.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning" // it works, but a person should know the reason
	Refused Verdict = "refused" // the new server would not start, or would not open the data
)

// A Judgment is a verdict, with a sentence for a person and what to do, without the final period. Both are "" for OK.
type Judgment struct {
	Verdict Verdict
	Reason  string
	Hint    string
}

// Judge says whether the image can open the data of the server. Only what is certain is refused: an image whose tag
// does not name a version of the engine never is. FerretDB keeps its data in another database and reports a version of
// MongoDB that is not its own, so it is not judged.
func Judge(engine string, from sluice.Server, image string) Judgment {
	if engine != "mongodb" || strings.Contains(from.Version, "FerretDB") {
		return Judgment{Verdict: OK}
	}
	was, known := parse(from.Version)
	if !known {
		return Judgment{Verdict: OK}
	}
	to, known := versionOf(image)
	if !known {
		return Judgment{Warning, fmt.Sprintf("the image %s does not say which version of MongoDB it is, so nobody knows "+
			"whether it can open the data of %s", image, was.series), "use a tag such as mongo:" + was.series.String()}
	}
	switch to.against(was) {
	case older:
		return down(was, to, from.Format)
	case newer:
		return up(was, to, from.Format)
	}
	if to.patch >= 0 && to.patch < was.patch {
		return Judgment{Warning, fmt.Sprintf("MongoDB goes back from %s to %s", was, to),
			"check that the newer patch mends nothing that you need"}
	}
	return Judgment{Verdict: OK}
}

// down judges a server of an older series. Up to 6.0 it may open the data if the newer one never changed its format.
func down(was, to version, format string) Judgment {
	f, known := parse(format)
	if known && was.major <= 6 && f.against(to) != newer {
		return Judgment{Warning, fmt.Sprintf("MongoDB goes back from %s to %s; its data files still have the feature "+
			"compatibility version %s", was.series, to.series, f.series),
			"take a checkpoint before, because the data may need it"}
	}
	return Judgment{Refused, fmt.Sprintf("MongoDB %s cannot open the data of %s: there is no way back to an older version",
		to.series, was.series),
		fmt.Sprintf("use an image of %s or newer, or restore a checkpoint that was taken with %s", was.series, to.series)}
}

// up judges a server of a newer series.
func up(was, to version, format string) Judgment {
	least := to.series.before()
	if was.series.less(least) {
		next := was.series.next()
		return Judgment{Refused, fmt.Sprintf("MongoDB %s cannot open the data of %s: an upgrade may not skip %s",
			to.series, was.series, next),
			fmt.Sprintf("release an image of %s first, then set its feature compatibility version to %s", next, next)}
	}
	f, known := parse(format)
	if !known {
		return Judgment{Warning, fmt.Sprintf("MongoDB %s opens the data only if its feature compatibility version is at "+
			"least %s, which cannot be read", to.series, least),
			"give the user of the dataset's uri the role clusterMonitor"}
	}
	if f.series.less(least) {
		return Judgment{Refused, fmt.Sprintf("MongoDB %s would not start: the data files have the feature compatibility "+
			"version %s, and it needs at least %s", to.series, f.series, least),
			"run in mongosh, on the server as it is: " + set(was.series)}
	}
	return Judgment{Warning, fmt.Sprintf("once MongoDB %s has opened the data, %s may not open it any more",
		to.series, was.series),
		"take a checkpoint before, and put restoreData into onRollback"}
}

// set writes the command that raises the feature compatibility version.
func set(to series) string {
	confirm := ""
	if to.major >= 7 {
		confirm = ", confirm: true"
	}
	return fmt.Sprintf("db.adminCommand({setFeatureCompatibilityVersion: %q%s})", to, confirm)
}
