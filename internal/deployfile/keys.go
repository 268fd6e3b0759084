package deployfile

import (
	"slices"

	"github.com/sluice-cd/sluice/internal/template"
)

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
	formTolerance             // a number of pods, or a percentage of them
)

// A value is what a key of the deploy file takes.
type value struct {
	form        form
	words       []string // of a choice
	least, most int      // of a whole number
	in          *table   // the keys of the map, or of the maps
	at          *place   // the list that the steps belong to
	rule        *rule    // of a text, or of each text of a list
	template    template.Place
}

// The values that need no more than their form.
var (
	text, scalar, truth      = value{form: formText}, value{form: formScalar}, value{form: formBool}
	number, amount, duration = value{form: formNumber}, value{form: formAmount}, value{form: formDuration}
	texts, textMap           = value{form: formTexts}, value{form: formTextMap}
	commands, bound          = value{form: formCommands}, value{form: formBound}
	tolerance                = value{form: formTolerance}
	own, ofService, resource = called(ownName), called(serviceName), called(resourceName)
)

func called(r *rule) value           { return value{form: formText, rule: r} }
func names(r *rule) value            { return value{form: formTexts, rule: r} }
func filled(at template.Place) value { return value{form: formText, template: at} }
func whole(least, most int) value    { return value{form: formWhole, least: least, most: most} }
func choice(words ...string) value   { return value{form: formChoice, words: words} }
func mapOf(in *table) value          { return value{form: formMap, in: in} }
func listOf(in *table) value         { return value{form: formList, in: in} }
func named(in *table) value          { return value{form: formNamed, in: in} }
func steps(at *place) value          { return value{form: formSteps, at: at} }
func wordOrMap(in *table, words ...string) value {
	return value{form: formWordOrMap, in: in, words: words}
}

// A key is one key of the deploy file. The parser, the JSON Schema and the documentation are all made from it.
type key struct {
	name string
	value
	absent string // the default, or required
	about  string // one sentence without its period
}

// required is the default of a key that must be there.
const required = "required"

// A table is the closed set of keys that a map of the deploy file takes.
type table struct {
	name string // of its definition in the JSON Schema
	keys []key
	one  []string // at least one of these must be there
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

var keysRoot = &table{name: "deployFile", keys: slices.Concat([]key{
	{"version", scalar, "v1", "The version of the format; it is not checked"},
	{"kind", choice("kubernetes"), "kubernetes", "What is delivered"},
	{"application", own, "", "The application's name; the command line may give it instead"},
	{"description", text, "", "A description for people"},
	{"context", textMap, "", "Variables for templates: {{context.name}}"},
	{"deploymentConfig", mapOf(keysConfig), "", "Settings for all targets"},
	{"targets", named(keysTarget), required, "The environments, by name"},
	{"manifests", listOf(keysManifest), "", "Where objects come from; required unless the file has datasets"},
}, keysShared)}

// keysShared may stand in a deploy file and in the files that it includes.
var keysShared = []key{
	{"strategies", named(keysStrategy), "", "How workloads change version, by name"},
	{"analysis", mapOf(keysAnalysis), "", "Queries to metric providers"},
	{"webhooks", listOf(keysWebhook), "", "HTTP calls that steps can make"},
	{"trafficManagement", listOf(keysTraffic), "", "How traffic is divided"},
	{"datasets", named(keysDataset), "", "Named pieces of state"},
	{"include", texts, "", "Files with shared blocks, relative to this file"},
}

var keysIncluded = &table{name: "includedFile", keys: keysShared}

var keysConfig = &table{name: "deploymentConfig", keys: []key{
	{"timeout", duration, "30m", "How long objects may take to become ready, at least one minute"},
	{"keepDeploymentObject", truth, "false", "Accepted for compatibility; Deployments are always kept"},
	{"ifDeploymentInProgress", mapOf(keysInProgress), "", "What happens while another deployment of the application runs"},
}}

var keysInProgress = &table{name: "ifDeploymentInProgress", keys: []key{
	{"strategy", choice("reject", "enqueueOne"), "reject",
		"Reject the new deployment, or queue it; a newer one overtakes the queued one"},
}}

var keysTarget = &table{name: "target", keys: []key{
	{"account", own, required, "The account to deploy to"},
	{"namespace", called(namespaceName), "", "The namespace of every object; if absent, the manifests decide"},
	{"strategy", text, "", "One of the strategies; required if the target gets a workload"},
	{"constraints", mapOf(keysConstraints), "", "Dependencies, and steps before and after the deployment"},
	{"onRollback", steps(&placeUndo), "", "Steps that run after the target was undone, one after the other"},
	{"maxUnready", tolerance, "0",
		"How many pods of each workload may be unready, as a number or a percentage such as 10%; never all of them"},
	{"prune", truth, "false",
		"Delete what earlier deployments applied and this one does not, except claims, namespaces and CRDs"},
}}

var keysConstraints = &table{name: "constraints", keys: []key{
	{"dependsOn", texts, "", "Targets that must succeed first"},
	{"beforeDeployment", steps(&placeBefore), "", "Steps that run before anything is applied, in parallel"},
	{"afterDeployment", steps(&placeAfter), "", "Steps that run after the strategy, in parallel"},
	{"afterDeploymentFailure", choice("keep", "rollBack"), "keep", "What happens if an afterDeployment step fails"},
}}

var keysManifest = &table{name: "manifest", one: []string{"path", "inline"}, keys: []key{
	{"path", text, "", "A file, a directory, a kustomize directory or an https URL"},
	{"inline", text, "", "The YAML itself; give either path or inline"},
	{"targets", texts, "all targets", "The targets that get these objects"},
}}

var keysStrategy = &table{name: "strategy", one: []string{"canary", "blueGreen"}, keys: []key{
	{"canary", mapOf(keysCanary), "", "Weights and gates, step by step; give either canary or blueGreen"},
	{"blueGreen", mapOf(keysBlueGreen), "", "The new version starts beside the old one, then gets all traffic at once"},
}}

var keysCanary = &table{name: "canary", keys: []key{
	{"steps", steps(&placeCanary), required, "Steps that run one after the other; afterwards the new version gets 100 %"},
}}

var keysBlueGreen = &table{name: "blueGreen", keys: []key{
	{"redirectTrafficAfter", steps(&placeBlue), "", "Steps that run before traffic goes to the new version, in parallel"},
	{"shutDownOldVersionAfter", steps(&placeBlue), "", "Steps that run before the old version is shut down, in parallel"},
	{"activeService", ofService, "", "The Service that users reach; better set in trafficManagement"},
	{"previewService", ofService, "", "The Service that shows the new version before the switch"},
}}

var keysTraffic = &table{name: "traffic", one: []string{"smi", "istio", "gateway", "kubernetes"}, keys: []key{
	{"targets", texts, "all targets", "The targets that divide their traffic this way"},
	{"smi", listOf(keysSMI), "", "TrafficSplits of a service mesh"},
	{"istio", listOf(keysIstio), "", "Weighted routes of Istio"},
	{"gateway", listOf(keysGateway), "", "Weighted routes of the Gateway API"},
	{"kubernetes", listOf(keysServices), "", "The Services of a blue/green strategy"},
}}

var keysSMI = &table{name: "smi", keys: []key{
	{"rootServiceName", ofService, required, "The Service that is split"},
	{"canaryServiceName", ofService, "root name and -canary", "The Service of the new version"},
	{"trafficSplitName", resource, "root name", "The TrafficSplit"},
}}

var keysIstio = &table{name: "istio", keys: []key{
	{"virtualService", mapOf(keysVirtualService), required, "The routes that are weighted"},
	{"destinationRule", mapOf(keysDestinationRule), "", "The subsets; optional if there is only one rule"},
}}

var keysVirtualService = &table{name: "virtualService", keys: []key{
	{"name", resource, required, "The VirtualService"},
	{"httpRouteName", text, "", "The route; optional if there is only one"},
}}

var keysDestinationRule = &table{name: "destinationRule", keys: []key{
	{"name", resource, required, "The DestinationRule"},
	{"activeSubsetName", text, "", "The subset of the old version"},
	{"canarySubsetName", text, "", "The subset of the new version"},
}}

var keysGateway = &table{name: "gateway", one: []string{"httpRoute", "grpcRoute"}, keys: []key{
	{"httpRoute", resource, "", "The HTTPRoute that is weighted; give either httpRoute or grpcRoute"},
	{"grpcRoute", resource, "", "The GRPCRoute that is weighted"},
	{"service", ofService, required, "The Service whose traffic is divided; it must be a backend of the route"},
}}

var keysServices = &table{name: "services", keys: []key{
	{"activeService", ofService, required,
		"The Service that users reach; other Services that select the pods are switched with it"},
	{"previewService", ofService, "", "The Service that shows the new version before the switch"},
}}

var keysWebhook = &table{name: "webhook", keys: []key{
	{"name", own, required, "The name that steps use"},
	{"method", choice("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"), "POST", "The HTTP method"},
	{"uriTemplate", filled(template.Webhook), required, "The URL that is called; a template"},
	{"networkMode", choice("direct", "remoteNetworkAgent"), "direct", "Where Sluice makes the call from"},
	{"agentIdentifier", text, "the target's account", "The account whose cluster has the host, for remoteNetworkAgent"},
	{"headers", listOf(keysHeader), "", "HTTP headers"},
	{"bodyTemplate", mapOf(keysBody), "", "The body that is sent"},
	{"retryCount", whole(0, 100), "0", "How often Sluice calls again if the receiver is away or busy"},
	{"disableCallback", truth, "false", "Continue as soon as the call is answered"},
	{"timeout", duration, "30s", "How long the call may take"},
}}

var keysHeader = &table{name: "header", keys: []key{
	{"key", text, required, "The header's name"},
	{"value", value{form: formScalar, template: template.Webhook}, required, "Its value; a template"},
}}

var keysBody = &table{name: "bodyTemplate", keys: []key{
	{"inline", filled(template.Webhook), "", "The text; a template"},
}}

var keysAnalysis = &table{name: "analysis", keys: []key{
	{"defaultMetricProviderName", text, "", "The provider for queries that name none"},
	{"queries", listOf(keysQuery), required, "The queries"},
	{"defaultAccount", text, "", "The old name of defaultMetricProviderName; accepted with a warning"},
	{"defaultType", scalar, "", "Ignored, with a warning"},
}}

var keysQuery = &table{name: "query", one: []string{"upperLimit", "lowerLimit"}, keys: []key{
	{"name", own, required, "The name that steps use"},
	{"queryTemplate", filled(template.Query), required, "The query that the provider gets; a template"},
	{"upperLimit", number, "", "The largest good value; at least one limit is required"},
	{"lowerLimit", number, "", "The smallest good value"},
	{"metricProviderName", text, "defaultMetricProviderName", "The provider that is asked"},
	{"aggregationMethod", scalar, "", "Ignored, with a warning"},
}}
