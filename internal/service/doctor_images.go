package service

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// images examines whether an account can run the images of the deploy file. Of a cluster only its nodes know that.
func (d *Doctor) images(account config.Account) {
	used := imagesIn(d.plan, account.Name)
	if len(used) == 0 {
		return
	}
	name := "images on " + account.Name
	if account.Type != config.AccountLocal {
		d.add(name, CheckOK, "", "%s; only its nodes know whether they can be pulled", strings.Join(used, ", "))
		return
	}
	var missing, lines []string
	for _, image := range used {
		if _, mapped := account.Images[image]; !mapped {
			missing = append(missing, image)
			lines = append(lines, fmt.Sprintf("%q: {command: [./path/to/program]}", image))
		}
	}
	var err error
	if len(missing) > 0 {
		err = sluice.Errorf(sluice.Unsupported, "there is no program for %s", strings.Join(missing, ", ")).
			WithHint("add under images of the account %s in %s: %s", account.Name, ConfigName(d.Config),
				strings.Join(lines, ", "))
	}
	d.result(name, err, "%s", count(len(used), "image")+" with a program each")
}

// imagesIn returns the sorted images that the plan runs in the account.
func imagesIn(p *sluice.Plan, account string) []string {
	var used []string
	for _, s := range p.Steps {
		if t, _ := p.Target(s.Target); t.Account != account {
			continue
		}
		if s.RunJob != nil {
			used = append(used, manifest.Images(s.RunJob.Job)...)
		}
		if s.Apply == nil {
			continue
		}
		for _, o := range s.Apply.Objects {
			used = append(used, manifest.Images(o)...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(used)))
}

// ImageNames returns the names by which images of the objects can be replaced: see [Source].
func ImageNames(objects []sluice.Object) (names []string) {
	for _, o := range objects {
		names = append(names, manifest.ImageNames(o)...)
	}
	return names
}
