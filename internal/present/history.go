package present

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A Past is what one target of an application runs and ran before, newest first.
type Past struct {
	Application string    `json:"application"`
	Target      string    `json:"target"`
	Releases    []Release `json:"releases"`
}

// A Release is what a deployment left in a target.
type Release struct {
	Deployment  sluice.DeploymentID   `json:"deployment"`
	ReturnedBy  sluice.DeploymentID   `json:"returnedBy,omitempty"` // a rollback to it, if it is not the first time
	StartedAt   time.Time             `json:"startedAt"`
	Outcome     sluice.Status         `json:"outcome"`
	Images      []string              `json:"images,omitempty"`
	Checkpoints []sluice.CheckpointID `json:"checkpoints,omitempty"`
}

// PastsOf returns the pasts as they are shown.
func PastsOf(list []history.Past) []Past {
	all := make([]Past, len(list))
	for i, p := range list {
		all[i] = Past{Application: p.Application, Target: p.Target, Releases: make([]Release, len(p.Releases))}
		for j, r := range p.Releases {
			shown := Release{
				Deployment: r.Deployment, StartedAt: r.At, Outcome: r.Outcome, Images: images(r), Checkpoints: r.Checkpoints,
			}
			if r.By != r.Deployment {
				shown.ReturnedBy = r.By
			}
			all[i].Releases[j] = shown
		}
	}
	return all
}

// images returns the images of the release, each once, in the order of its objects.
func images(r sluice.Release) []string {
	var list []string
	for _, s := range r.Plan.Steps {
		if s.Target != r.Target || s.Apply == nil {
			continue
		}
		for _, o := range s.Apply.Objects {
			for _, image := range manifest.Images(o) {
				if !slices.Contains(list, image) {
					list = append(list, image)
				}
			}
		}
	}
	return list
}

// Pasts returns the rows of a table of releases, the first of which is the header.
func Pasts(list []Past) [][]string {
	rows := [][]string{{"APPLICATION", "TARGET", "DEPLOYMENT", "RETURNED BY", "STARTED", "OUTCOME", "IMAGES"}}
	for _, p := range list {
		for _, r := range p.Releases {
			rows = append(rows, []string{
				p.Application, p.Target, string(r.Deployment), cmp.Or(string(r.ReturnedBy), "-"), Moment(r.StartedAt),
				string(r.Outcome), strings.Join(r.Images, ", "),
			})
		}
	}
	return rows
}
