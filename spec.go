package sluice

import "time"

// A Spec is a deploy file as read: every default filled in, every name it uses defined in it. Templates
// ({{armory.…}}, {{context.…}}, {{secrets.…}}) are kept as written; they are filled in when a step runs.
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
	KeepDeploymentObject bool          // read for compatibility: Sluice always keeps it
	InProgress           string        // reject (default) or enqueueOne
}

// A Target is one environment of the file.
type Target struct {
	Pos              Position
	Name             string
	Account          string
	Namespace        string // "" leaves the namespaces of the manifests as they are
	Strategy         string // "" where no manifest needs one
	DependsOn        []string
	BeforeDeployment []StepSpec
	AfterDeployment  []StepSpec
	AfterFailure     string // when an afterDeployment step fails: keep (default) or rollBack
	OnRollback       []StepSpec
	Prune            bool // whether what earlier deployments applied and this one does not is deleted
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

// A Canary walks through its steps one after the other.
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

// The kinds that a deploy file can name, and those that a plan adds to them.
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
	KindSequence       StepKind = "sequence" // only in a Spec: a plan has its members

	KindApply   StepKind = "apply"   // only in a Plan: objects applied, the new version beside the old
	KindPromote StepKind = "promote" // only in a Plan: the new version takes over
	KindPrune   StepKind = "prune"   // only in a Plan: what earlier releases brought and this one does not is deleted
)

// A StepSpec is one step as declared: Kind says which one of the other fields is set.
type StepSpec struct {
	Pos            Position        `json:"-"`
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

// SetWeight sends a share of the traffic, 0 to 100, to the new version.
type SetWeight struct {
	Weight   int      `json:"weight"`
	Services []string `json:"services,omitempty"` // only of these; set in a plan, for a preview
}

// A Pause waits for a time or for a person.
type Pause struct {
	Duration           time.Duration `json:"duration,omitempty"`
	UntilApproved      bool          `json:"untilApproved,omitempty"`
	RequiresRoles      []string      `json:"requiresRoles,omitempty"`
	ApprovalExpiration time.Duration `json:"approvalExpiration,omitempty"` // 0: never
}

// RunWebhook calls a webhook of the file and, unless it disables it, waits for the callback.
type RunWebhook struct {
	Name    string            `json:"name"`
	Context map[string]string `json:"context,omitempty"`
	Timeout time.Duration     `json:"timeout,omitempty"` // for the callback; default 24 hours
	Webhook *Webhook          `json:"webhook,omitempty"` // set in a plan: what Name stood for
}

// A Webhook is an HTTP call with templates in it.
type Webhook struct {
	Pos             Position      `json:"-"`
	Name            string        `json:"name"`
	Method          string        `json:"method"` // default POST
	URITemplate     string        `json:"uriTemplate"`
	NetworkMode     string        `json:"networkMode,omitempty"` // direct (default) or remoteNetworkAgent
	AgentIdentifier string        `json:"agentIdentifier,omitempty"`
	Headers         []Header      `json:"headers,omitempty"`
	Body            string        `json:"body,omitempty"` // sent as rendered, whatever it is
	RetryCount      int           `json:"retryCount,omitempty"`
	DisableCallback bool          `json:"disableCallback,omitempty"`
	Timeout         time.Duration `json:"timeout,omitempty"`
}

// A Header is one HTTP header; the value is a template.
type Header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ExposeServices makes Services reachable for people for a time.
type ExposeServices struct {
	Services []string      `json:"services"`
	TTL      time.Duration `json:"ttl"`
}

// RunJob runs one Job to its end; a failed Job fails the step.
type RunJob struct {
	Name    string        `json:"name"`
	Path    string        `json:"path,omitempty"`
	Inline  string        `json:"inline,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"` // default 30 minutes
	Job     Object        `json:"job,omitempty"`     // set in a plan: the Job itself
}

// WaitFor waits until an object meets a condition or a jsonpath has a value.
type WaitFor struct {
	Object    string        `json:"object"` // Kind/name or Kind.group/name
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

// Apply is the step that brings a target's objects: the new version stands beside the old one and gets
// no traffic yet, except on a first deployment.
type Apply struct {
	Objects []Object      `json:"objects"` // in dependency order; Secret values are sealed
	Canary  bool          `json:"canary"`  // whether the strategy has steps before 100 %
	Timeout time.Duration `json:"timeout"`
}

// Promote is the step that makes the new version the only one.
type Promote struct {
	Timeout time.Duration `json:"timeout"`
}

// Prune is the step that deletes what earlier deployments applied and this one does not.
type Prune struct {
	Objects []Ref `json:"objects"` // in the order in which they can be applied
}

// Traffic says how a target's weights are made. Exactly one list is set.
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
	Service string `json:"service"` // the backend that it sends traffic to
}

// SMI names the Services of a TrafficSplit.
type SMI struct {
	RootServiceName   string `json:"rootServiceName"`
	CanaryServiceName string `json:"canaryServiceName"` // default: the root's name and -canary
	TrafficSplitName  string `json:"trafficSplitName"`  // default: the root's name
}

// Istio names the route and subsets of a weighted VirtualService.
type Istio struct {
	VirtualService  string `json:"virtualService"`
	HTTPRoute       string `json:"httpRoute,omitempty"` // "" where there is only one
	DestinationRule string `json:"destinationRule,omitempty"`
	ActiveSubset    string `json:"activeSubset,omitempty"`
	CanarySubset    string `json:"canarySubset,omitempty"`
}

// BlueGreenServices names the Services of a blue/green strategy.
type BlueGreenServices struct {
	ActiveService  string `json:"activeService"`
	PreviewService string `json:"previewService,omitempty"`
}
