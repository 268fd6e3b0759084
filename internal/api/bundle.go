package api

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/service"
)

// Files are the contents of files by their paths. In JSON they are in base64.
type Files map[string][]byte

// Schema describes them: the library's own schema of bytes refuses an empty file.
func (Files) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Description: "The content of each file in base64, by its path relative to the bundle",
		AdditionalProperties: &huma.Schema{Type: huma.TypeString},
	}
}

// A Bundle is a deploy file with the files that it needs: a [service.Bundle] on the wire.
type Bundle struct {
	File        string              `json:"file" doc:"The path of the deploy file in files"`
	Files       Files               `json:"files"`
	Targets     []string            `json:"targets,omitempty" doc:"Only these targets"`
	Context     map[string]string   `json:"context,omitempty" doc:"Values for templates"`
	Application string              `json:"application,omitempty" doc:"Replaces the name in the deploy file"`
	Images      map[string]string   `json:"images,omitempty" doc:"Replaces images of the manifests: a tag or a reference by name"`
	Strict      bool                `json:"strict,omitempty" doc:"Warnings are errors"`
	TakeOver    []string            `json:"takeOver,omitempty" doc:"Field managers whose fields may be taken"`
	Replace     sluice.DeploymentID `json:"replace,omitempty" doc:"A deployment of another store whose place this one takes"`
	Fetch       bool                `json:"fetch,omitempty" doc:"Also read manifests from https addresses"`
}

func (b Bundle) bundle() service.Bundle {
	return service.Bundle{
		File: b.File, Files: b.Files, Targets: b.Targets, Context: b.Context, Application: b.Application, Images: b.Images,
		Strict: b.Strict, TakeOver: b.TakeOver, Replace: b.Replace, Fetch: b.Fetch,
	}
}

func bundleOf(b service.Bundle) Bundle {
	return Bundle{
		File: b.File, Files: b.Files, Targets: b.Targets, Context: b.Context, Application: b.Application, Images: b.Images,
		Strict: b.Strict, TakeOver: b.TakeOver, Replace: b.Replace, Fetch: b.Fetch,
	}
}
