package deployfile

// A form is what a value of the deploy file may be.
type form int

const (
	formText      form = iota // text
	formScalar                // any single value, taken as it is written
	formBool                  // true or false
	formWhole                 // a whole number from least to most
	formNumber                // a number
	formAmount                // a whole number beside its unit, or a duration
	formDuration              // 10m, or {duration: 10, unit: minutes}
	formChoice                // one of the words, in any letter case
	formTexts                 // a list of texts
	formTextMap               // a map of single values
	formMap                   // a map with the keys of a table
	formList                  // a list of such maps
	formNamed                 // a map from names to such maps
	formSteps                 // a list of steps
	formCommands              // a list of commands, each a list of words, or one command
	formWordOrMap             // a word, or a map with the keys of a table
	formBound                 // a number, or the word baseline
)

// A key is one key of the deploy file. The parser, the JSON Schema and the documentation are all made from it.
type key struct {
	name        string
	form        form
	about       string   // one sentence without its period
	absent      string   // what holds where the key is absent
	need        bool     // absent is an error
	words       []string // of a choice
	least, most int      // of a whole number
	in          *table   // the keys of the map, or of the maps
	at          *place   // where the steps stand
}

// A table is the closed set of keys that a map of the deploy file takes.
type table struct {
	name string // of its definition in the JSON Schema
	keys []key
	one  []string // at least one of these has to be there
}

// key returns the key of the name. Asking for one that the table does not have in this form is a defect.
func (t *table) key(name string, forms ...form) key {
	k, ok := t.find(name)
	if ok {
		for _, f := range forms {
			if k.form == f {
				return k
			}
		}
	}
	panic("the table " + t.name + " does not have the key " + name + " in the form it is read in")
}

func (t *table) find(name string) (key, bool) {
	for i := range t.keys {
		if t.keys[i].name == name {
			return t.keys[i], true
		}
	}
	return key{}, false
}

func (t *table) names() []string {
	names := make([]string, len(t.keys))
	for i, k := range t.keys {
		names[i] = k.name
	}
	return names
}

var keysRoot = &table{name: "deployFile", keys: []key{
	{name: "version", form: formScalar, absent: "v1", about: "The version of the format; it is not checked"},
	{name: "kind", form: formChoice, words: []string{"kubernetes"}, absent: "kubernetes", about: "What is delivered"},
	{name: "application", form: formText, about: "The name of what is delivered; it may be given on the command line instead"},
	{name: "description", form: formText, about: "A text for people"},
	{name: "context", form: formTextMap, about: "Variables for templates: {{context.name}}"},
	{name: "deploymentConfig", form: formMap, in: keysConfig, about: "What holds for every target"},
	{name: "targets", form: formNamed, in: keysTarget, need: true, about: "The environments, by name"},
	{name: "manifests", form: formList, in: keysManifest, about: "Where objects come from; required unless there are datasets"},
	{name: "strategies", form: formNamed, in: keysStrategy, about: "How workloads change version, by name"},
	{name: "analysis", form: formMap, in: keysAnalysis, about: "Queries to metric providers"},
	{name: "webhooks", form: formList, in: keysWebhook, about: "HTTP calls that steps can make"},
	{name: "trafficManagement", form: formList, in: keysTraffic, about: "How weights are made"},
	{name: "datasets", form: formNamed, in: keysDataset, about: "Named pieces of state"},
	{name: "include", form: formTexts, about: "Files with shared blocks, relative to this file"},
}}

// keysIncluded are what an included file may define.
var keysIncluded = &table{name: "includedFile", keys: []key{
	{name: "strategies", form: formNamed, in: keysStrategy, about: "How workloads change version, by name"},
	{name: "analysis", form: formMap, in: keysAnalysis, about: "Queries to metric providers"},
	{name: "webhooks", form: formList, in: keysWebhook, about: "HTTP calls that steps can make"},
	{name: "trafficManagement", form: formList, in: keysTraffic, about: "How weights are made"},
	{name: "datasets", form: formNamed, in: keysDataset, about: "Named pieces of state"},
	{name: "include", form: formTexts, about: "More files with shared blocks, relative to this file"},
}}

var keysConfig = &table{name: "deploymentConfig", keys: []key{
	{name: "timeout", form: formDuration, absent: "30m", about: "How long objects may take to become ready, at least one minute"},
	{name: "keepDeploymentObject", form: formBool, absent: "false", about: "Read for compatibility: Deployments are always kept"},
	{name: "ifDeploymentInProgress", form: formMap, in: keysInProgress, about: "What happens while another deployment of the application runs"},
}}

var keysInProgress = &table{name: "ifDeploymentInProgress", keys: []key{
	{name: "strategy", form: formChoice, words: []string{"reject", "enqueueOne"}, absent: "reject", about: "Refuse the new one, or let the newest wait"},
}}

var keysTarget = &table{name: "target", keys: []key{
	{name: "account", form: formText, need: true, about: "The account to deploy to"},
	{name: "namespace", form: formText, about: "The namespace of every object; absent, the manifests say it"},
	{name: "strategy", form: formText, about: "One of the strategies; required where a workload is delivered"},
	{name: "constraints", form: formMap, in: keysConstraints, about: "What gates the target"},
	{name: "onRollback", form: formSteps, at: &placeUndo, about: "Steps after the target was undone, one after the other"},
	{name: "prune", form: formBool, absent: "false", about: "Delete what earlier deployments applied here and this one does not; never claims, namespaces and definitions"},
}}

var keysConstraints = &table{name: "constraints", keys: []key{
	{name: "dependsOn", form: formTexts, about: "Targets that must have succeeded first"},
	{name: "beforeDeployment", form: formSteps, at: &placeBefore, about: "Steps before anything is applied, in parallel"},
	{name: "afterDeployment", form: formSteps, at: &placeAfter, about: "Steps after the strategy, in parallel"},
	{name: "afterDeploymentFailure", form: formChoice, words: []string{"keep", "rollBack"}, absent: "keep", about: "What a failed afterDeployment step does to the target"},
}}

var keysManifest = &table{name: "manifest", one: []string{"path", "inline"}, keys: []key{
	{name: "path", form: formText, about: "A file, a directory, a kustomize directory or an https URL"},
	{name: "inline", form: formText, about: "The YAML itself; one of path and inline"},
	{name: "targets", form: formTexts, absent: "all targets", about: "The targets that get these objects"},
}}

var keysStrategy = &table{name: "strategy", one: []string{"canary", "blueGreen"}, keys: []key{
	{name: "canary", form: formMap, in: keysCanary, about: "Weights and gates, step by step; one of canary and blueGreen"},
	{name: "blueGreen", form: formMap, in: keysBlueGreen, about: "The new version beside the old one, then all of the traffic at once"},
}}

var keysCanary = &table{name: "canary", keys: []key{
	{name: "steps", form: formSteps, at: &placeCanary, need: true, about: "Steps one after the other; afterwards the target goes to 100 %"},
}}

var keysBlueGreen = &table{name: "blueGreen", keys: []key{
	{name: "redirectTrafficAfter", form: formSteps, at: &placeBlue, about: "Steps before the traffic goes to the new version, in parallel"},
	{name: "shutDownOldVersionAfter", form: formSteps, at: &placeBlue, about: "Steps before the old version is shut down, in parallel"},
	{name: "activeService", form: formText, about: "The Service that users reach; better said in trafficManagement"},
	{name: "previewService", form: formText, about: "The Service that shows the new version beforehand"},
}}

var keysTraffic = &table{name: "traffic", keys: []key{
	{name: "targets", form: formTexts, absent: "all targets", about: "The targets whose traffic is made so"},
	{name: "smi", form: formList, in: keysSMI, about: "TrafficSplits of a service mesh"},
	{name: "istio", form: formList, in: keysIstio, about: "Weighted routes of Istio"},
	{name: "gateway", form: formList, in: keysGateway, about: "Weighted routes of the Gateway API"},
	{name: "kubernetes", form: formList, in: keysServices, about: "The Services of a blue/green strategy"},
}}

var keysSMI = &table{name: "smi", keys: []key{
	{name: "rootServiceName", form: formText, need: true, about: "The Service that is split"},
	{name: "canaryServiceName", form: formText, absent: "root name and -canary", about: "The Service of the new version"},
	{name: "trafficSplitName", form: formText, absent: "root name", about: "The TrafficSplit"},
}}

var keysIstio = &table{name: "istio", keys: []key{
	{name: "virtualService", form: formMap, in: keysVirtualService, need: true, about: "The routes that are weighted"},
	{name: "destinationRule", form: formMap, in: keysDestinationRule, about: "The subsets; may be absent if there is only one rule"},
}}

var keysVirtualService = &table{name: "virtualService", keys: []key{
	{name: "name", form: formText, need: true, about: "The VirtualService"},
	{name: "httpRouteName", form: formText, about: "The route; may be absent if there is only one"},
}}

var keysDestinationRule = &table{name: "destinationRule", keys: []key{
	{name: "name", form: formText, need: true, about: "The DestinationRule"},
	{name: "activeSubsetName", form: formText, about: "The subset of the old version"},
	{name: "canarySubsetName", form: formText, about: "The subset of the new version"},
}}

var keysGateway = &table{name: "gateway", one: []string{"httpRoute", "grpcRoute"}, keys: []key{
	{name: "httpRoute", form: formText, about: "The HTTPRoute that is weighted; one of httpRoute and grpcRoute"},
	{name: "grpcRoute", form: formText, about: "The GRPCRoute that is weighted"},
	{name: "service", form: formText, need: true, about: "The Service whose traffic is divided, a backend of the route"},
}}

var keysServices = &table{name: "services", keys: []key{
	{name: "activeService", form: formText, need: true, about: "The Service that users reach; every other one that selects the pods is switched with it"},
	{name: "previewService", form: formText, about: "The Service that shows the new version beforehand"},
}}

var keysWebhook = &table{name: "webhook", keys: []key{
	{name: "name", form: formText, need: true, about: "The name that steps use"},
	{name: "method", form: formChoice, words: []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}, absent: "POST", about: "The HTTP method"},
	{name: "uriTemplate", form: formText, need: true, about: "The address that is called; a template"},
	{name: "networkMode", form: formChoice, words: []string{"direct", "remoteNetworkAgent"}, absent: "direct", about: "Where the call is made from"},
	{name: "agentIdentifier", form: formText, absent: "the target's account", about: "The account in whose cluster remoteNetworkAgent looks the host up as a Service"},
	{name: "headers", form: formList, in: keysHeader, about: "HTTP headers"},
	{name: "bodyTemplate", form: formMap, in: keysBody, about: "What is sent"},
	{name: "retryCount", form: formWhole, least: 0, most: 100, absent: "0", about: "How often a refused connection is tried again"},
	{name: "disableCallback", form: formBool, absent: "false", about: "Go on as soon as the call was answered"},
	{name: "timeout", form: formDuration, absent: "30s", about: "How long the call may take"},
}}

var keysHeader = &table{name: "header", keys: []key{
	{name: "key", form: formText, need: true, about: "The header"},
	{name: "value", form: formScalar, need: true, about: "Its value; a template"},
}}

var keysBody = &table{name: "bodyTemplate", keys: []key{
	{name: "inline", form: formText, about: "The text; a template, sent as rendered"},
}}

var keysAnalysis = &table{name: "analysis", keys: []key{
	{name: "defaultMetricProviderName", form: formText, about: "Answers the queries that name no provider"},
	{name: "queries", form: formList, in: keysQuery, need: true, about: "The queries"},
	{name: "defaultAccount", form: formText, about: "An old name of defaultMetricProviderName (a warning)"},
	{name: "defaultType", form: formScalar, about: "Has no meaning any more (a warning)"},
}}

var keysQuery = &table{name: "query", keys: []key{
	{name: "name", form: formText, need: true, about: "The name that steps use"},
	{name: "queryTemplate", form: formText, need: true, about: "What the provider is asked; a template"},
	{name: "upperLimit", form: formNumber, about: "The largest good value; at least one limit is required"},
	{name: "lowerLimit", form: formNumber, about: "The smallest good value"},
	{name: "metricProviderName", form: formText, absent: "defaultMetricProviderName", about: "The provider that is asked"},
	{name: "aggregationMethod", form: formScalar, about: "Has no meaning any more (a warning)"},
}}
