package sluice

import (
	"strconv"
	"time"
)

// A Spec is a deploy file as read: every default is filled in, and every name that it uses is defined in it.
// Templates ({{armory.…}}, {{context.…}}, {{secrets.…}}) are kept as written; a step fills them in when it runs.
type Spec struct {
	Application string
	Description string
	Context     map[string]string
	Config      DeploymentConfig
	Targets     []Target // in the order of the file
	Manifests   []ManifestSource
	Strategies  map[string]Strategy
	Analysis    AnalysisConfig
	Webhooks    map[string]Webhook
	Traffic     []Traffic
	Datasets    map[string]Dataset
}

// DeploymentConfig holds what applies to every target.
type DeploymentConfig struct {
	Timeout              time.Duration // how long objects may take to become ready; default 30 minutes
	KeepDeploymentObject bool          // read for compatibility; Sluice always keeps Deployments
	InProgress           string        // reject (default) or enqueueOne
}

// A Target is one environment of the file.
type Target struct {
	Pos              Position
	Name             string
	Account          string
	Namespace        string // "" keeps the namespaces of the manifests
	Strategy         string // "" if no manifest needs one
	DependsOn        []string
	BeforeDeployment []StepSpec
	AfterDeployment  []StepSpec
	AfterFailure     string // what a failed afterDeployment step does: keep (default) or rollBack
	OnRollback       []StepSpec
	MaxUnready       Tolerance `json:",omitzero"`
	Prune            bool      // whether to delete what earlier deployments applied and this one does not contain
}

// A Tolerance is how many pods of a workload may be unready although the workload counts as ready. At most one of the
// fields is set.
type Tolerance struct {
	Pods    int `json:"pods,omitempty"`
	Percent int `json:"percent,omitempty"` // of the workload's pods, rounded down
}

// Of returns how many of so many pods may be unready: never all of them.
func (t Tolerance) Of(pods int) int { return max(0, min(pods-1, max(t.Pods, pods*t.Percent/100))) }

// String writes it as in a deploy file.
func (t Tolerance) String() string {
	if t.Percent > 0 {
		return strconv.Itoa(t.Percent) + "%"
	}
	return strconv.Itoa(t.Pods)
}

// A ManifestSource names where objects come from. Exactly one of Path and Inline is set.
type ManifestSource struct {
	Pos     Position
	Path    string   // a file, a directory, a kustomize directory or an https URL
	Inline  string   // YAML
	Targets []string // empty means every target
}

// A Strategy says how a target's workloads change version. Exactly one field is set.
type Strategy struct {
	Pos       Position
	Canary    *Canary
	BlueGreen *BlueGreen
}

// A Canary runs its steps one after the other.
type Canary struct{ Steps []StepSpec }

// A BlueGreen runs the new version beside the old one. The steps of each list run in parallel.
type BlueGreen struct {
	RedirectTrafficAfter    []StepSpec
	ShutDownOldVersionAfter []StepSpec
	ActiveService           string
	PreviewService          string
}

// A StepKind names a kind of step, as written in the deploy file.
type StepKind string

// The kinds that a deploy file can name, and those that only a plan has.
const (
	KindSetWeight      StepKind = "setWeight"
	KindPause          StepKind = "pause"
	KindRunWebhook     StepKind = "runWebhook"
	KindAnalysis       StepKind = "analysis"
	KindExposeServices StepKind = "exposeServices"
	KindRunJob         StepKind = "runJob"
	KindWaitFor        StepKind = "waitFor"
	KindMigrateData    StepKind = "migrateData"
	KindCheckpointData StepKind = "checkpointData"
	KindVerifyData     StepKind = "verifyData"
	KindRestoreData    StepKind = "restoreData"
	KindMaskData       StepKind = "maskData"
	KindSequence       StepKind = "sequence" // only in a Spec: a plan has its members instead

	KindApply   StepKind = "apply"   // only in a Plan: applies objects, the new version beside the old one
	KindPromote StepKind = "promote" // only in a Plan: the new version replaces the old one
	KindPrune   StepKind = "prune"   // only in a Plan: deletes what earlier releases applied and this one does not contain
)

// ChangesPods reports whether a step of the kind itself starts and stops pods of its target. All others leave the pods
// alone, so guards run beside them.
func (k StepKind) ChangesPods() bool {
	switch k {
	case KindApply, KindSetWeight, KindPromote, KindPrune,
		KindMigrateData, KindCheckpointData, KindRestoreData, KindMaskData:
		return true
	}
	return false
}

// OnlyDelays reports whether a step of the kind, as part of a strategy, only delays the rollout. All others do work
// that later steps may need.
func (k StepKind) OnlyDelays() bool {
	return k == KindPause || k == KindAnalysis || k == KindRunWebhook
}

// A StepSpec is one step as declared. Kind says which of the fields after it is set.
type StepSpec struct {
	Pos            Position        `json:"-"`
	Name           string          `json:"name,omitempty"` // for people; several steps may have the same one
	Kind           StepKind        `json:"kind"`
	SetWeight      *SetWeight      `json:"setWeight,omitempty"`
	Pause          *Pause          `json:"pause,omitempty"`
	RunWebhook     *RunWebhook     `json:"runWebhook,omitempty"`
	Analysis       *Analysis       `json:"analysis,omitempty"`
	ExposeServices *ExposeServices `json:"exposeServices,omitempty"`
	RunJob         *RunJob         `json:"runJob,omitempty"`
	WaitFor        *WaitFor        `json:"waitFor,omitempty"`
	MigrateData    *MigrateData    `json:"migrateData,omitempty"`
	CheckpointData *CheckpointData `json:"checkpointData,omitempty"`
	VerifyData     *VerifyData     `json:"verifyData,omitempty"`
	RestoreData    *RestoreData    `json:"restoreData,omitempty"`
	MaskData       *MaskData       `json:"maskData,omitempty"`
	Sequence       []StepSpec      `json:"sequence,omitempty"`
	Apply          *Apply          `json:"apply,omitempty"`
	Promote        *Promote        `json:"promote,omitempty"`
	Prune          *Prune          `json:"prune,omitempty"`
}

// Dataset returns the dataset that a step of a plan works on, false if it works on none.
func (s StepSpec) Dataset() (Dataset, bool) {
	switch {
	case s.CheckpointData != nil:
		return s.CheckpointData.Spec, true
	case s.MigrateData != nil:
		return s.MigrateData.Spec, true
	case s.RestoreData != nil:
		return s.RestoreData.Spec, true
	case s.VerifyData != nil:
		return s.VerifyData.Spec, true
	}
	return Dataset{}, false
}

// SetWeight sends a share of the traffic, 0 to 100, to the new version.
type SetWeight struct {
	Weight   int      `json:"weight"`
	Services []string `json:"services,omitempty"` // only these Services; set in a plan, for a preview
}

// A Pause waits for a time or for a person.
type Pause struct {
	Duration           time.Duration `json:"duration,omitempty"`
	UntilApproved      bool          `json:"untilApproved,omitempty"`
	RequiresRoles      []string      `json:"requiresRoles,omitempty"`
	ApprovalExpiration time.Duration `json:"approvalExpiration,omitempty"` // 0: never
	ApprovedByAnother  bool          `json:"approvedByAnother,omitempty"`  // than who started the deployment
}

// RunWebhook calls a webhook of the file and waits for the callback, unless the webhook disables callbacks.
type RunWebhook struct {
	Name    string            `json:"name"`
	Context map[string]string `json:"context,omitempty"`
	Timeout time.Duration     `json:"timeout,omitempty"` // for the callback; default 24 hours
	Webhook *Webhook          `json:"webhook,omitempty"` // set in a plan: the webhook that Name refers to
}

// A Webhook is an HTTP call with templates.
type Webhook struct {
	Pos             Position      `json:"-"`
	Name            string        `json:"name"`
	Method          string        `json:"method"` // default POST
	URITemplate     string        `json:"uriTemplate"`
	NetworkMode     string        `json:"networkMode,omitempty"` // direct (default) or remoteNetworkAgent
	AgentIdentifier string        `json:"agentIdentifier,omitempty"`
	Headers         []Header      `json:"headers,omitempty"`
	Body            string        `json:"body,omitempty"` // sent as rendered; need not be JSON
	RetryCount      int           `json:"retryCount,omitempty"`
	DisableCallback bool          `json:"disableCallback,omitempty"`
	Timeout         time.Duration `json:"timeout,omitempty"`
}

// A Header is one HTTP header; the value is a template.
type Header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ExposeServices makes Services reachable for people for a limited time.
type ExposeServices struct {
	Services []string      `json:"services"`
	TTL      time.Duration `json:"ttl"`
}

// RunJob runs one Job to its end. If the Job fails, the step fails.
type RunJob struct {
	Name    string        `json:"name"`
	Path    string        `json:"path,omitempty"`
	Inline  string        `json:"inline,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"` // default 30 minutes
	Job     Object        `json:"job,omitempty"`     // set in a plan: the Job itself
}

// WaitFor waits until an object meets a condition or a JSONPath has a value.
type WaitFor struct {
	Object    string        `json:"object"` // Kind/name, Kind.group/name or Kind.version.group/name
	Namespace string        `json:"namespace,omitempty"`
	Condition string        `json:"condition,omitempty"` // Ready, or Ready=False
	JSONPath  string        `json:"jsonPath,omitempty"`
	Value     string        `json:"value,omitempty"`
	FailWhen  []FailWhen    `json:"failWhen,omitempty"` // ends the wait at once
	Timeout   time.Duration `json:"timeout"`
}

// FailWhen is a state that cannot heal.
type FailWhen struct {
	JSONPath string `json:"jsonPath"`
	Value    string `json:"value"`
}

// Apply is the step that applies a target's objects. The new version then runs beside the old one and gets no
// traffic yet, except on a first deployment.
type Apply struct {
	Objects []Object         `json:"objects"` // in dependency order; Secret values are sealed
	Canary  bool             `json:"canary"`  // whether the strategy has steps before 100 %
	Timeout time.Duration    `json:"timeout"`
	Places  map[Ref]Position `json:"-"` // of the objects in the user's files; nil in a plan that was read from the log
}

// Promote is the step that replaces the old version by the new one.
type Promote struct {
	Timeout time.Duration `json:"timeout"`
}

// Prune is the step that deletes what earlier deployments applied and this one does not contain.
type Prune struct {
	Objects []Ref `json:"objects"` // in an order in which they can be applied
}

// Traffic says what divides the traffic of a target. Exactly one list is set.
type Traffic struct {
	Pos        Position            `json:"-"`
	Targets    []string            `json:"-"` // empty means every target
	SMI        []SMI               `json:"smi,omitempty"`
	Istio      []Istio             `json:"istio,omitempty"`
	Kubernetes []BlueGreenServices `json:"kubernetes,omitempty"`
	Gateway    []GatewayRoute      `json:"gateway,omitempty"`
}

// GatewayRoute names a route of the Gateway API whose weights divide the traffic of a Service.
type GatewayRoute struct {
	Kind    string `json:"kind"`    // HTTPRoute (default) or GRPCRoute
	Name    string `json:"name"`    // of the route, in the target's namespace
	Service string `json:"service"` // the backend whose traffic is divided
}

// SMI names the Services of a TrafficSplit.
type SMI struct {
	RootServiceName   string `json:"rootServiceName"`
	CanaryServiceName string `json:"canaryServiceName"` // default: the root Service's name with -canary
	TrafficSplitName  string `json:"trafficSplitName"`  // default: the root Service's name
}

// Istio names the route and subsets of a weighted VirtualService.
type Istio struct {
	VirtualService  string `json:"virtualService"`
	HTTPRoute       string `json:"httpRoute,omitempty"` // "" if there is only one
	DestinationRule string `json:"destinationRule,omitempty"`
	ActiveSubset    string `json:"activeSubset,omitempty"`
	CanarySubset    string `json:"canarySubset,omitempty"`
}

// BlueGreenServices names the Services of a blue/green strategy.
type BlueGreenServices struct {
	ActiveService  string `json:"activeService"`
	PreviewService string `json:"previewService,omitempty"`
}
