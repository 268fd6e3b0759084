package manifest

// The codes of this package's findings; docs/diagnostics.md explains each.
const (
	codeBadManifest       = "bad-manifest"
	codeMissingField      = "manifest-field-missing"
	codeBareWorkload      = "bare-workload"
	codeTooManyObjects    = "too-many-objects"
	codePathNotFound      = "path-not-found"
	codePathOutside       = "path-outside"
	codePathUnreadable    = "path-unreadable"
	codeEmptySource       = "empty-source"
	codeKustomize         = "kustomize"
	codeKustomizeOutdated = "kustomize-outdated"
	codeAddressRefused    = "address-refused"
	codeAddressUnreadable = "address-unreadable"
	codeTooManyFindings   = "too-many-findings"
	codeHook              = "hook"
	codeIgnoredAnnotation = "ignored-annotation"
	codeDuplicateObject   = "duplicate-object"
	codeHelm              = "helm"
)
