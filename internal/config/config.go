package config

import (
	"net/url"
	"time"

	"github.com/sluice-cd/sluice"
)

// FileName is the default name of the configuration.
const FileName = "sluice.yaml"

// A Config is a sluice.yaml as read. Paths in it are absolute.
type Config struct {
	File       string // "" if there is no file
	Accounts   map[string]Account
	Metrics    map[string]Metrics
	Secrets    map[string]Source
	Repository Repository
	Webhooks   Webhooks
	Jobs       Jobs
	Server     Server
	RetryFor   time.Duration // how long to retry what is unavailable before its step fails; 0: the engine's default
}

// The types of an account.
const (
	AccountLocal      = "local"
	AccountKubernetes = "kubernetes"
)

// An Account is a named place to deploy to.
type Account struct {
	Pos    sluice.Position
	Name   string
	Type   string           // AccountLocal or AccountKubernetes
	Images map[string]Image // what runs on this machine for a container image; for AccountKubernetes only in rehearsals

	Kubeconfig string // AccountKubernetes: the file; "": the one that kubectl would use
	Context    string // of the kubeconfig; "": its current one
	InCluster  bool   // AccountKubernetes: the cluster that Sluice runs in, instead of a kubeconfig
	Job        Job    // AccountKubernetes: what Sluice runs beside the data
}

// A Job says how Sluice's own Jobs run in a cluster. Empty fields mean the defaults.
type Job struct {
	Image  string // of this version of Sluice
	User   int64  // 0: root, which can keep the owners of files
	CPU    string // at most
	Memory string // at most
}

// Jobs says where Sluice's own Jobs reach it. If Listen is "", Sluice reaches them through the API server.
type Jobs struct {
	Listen  string // where Sluice listens
	Address string // how Jobs reach that address; "": the address itself
}

// An Image says what the local account runs for a container image.
type Image struct {
	Command []string          // the program and its first arguments
	Dir     string            // searched before PATH for a program without a slash
	Env     map[string]string // set before the manifest's own variables
}

// MetricsPrometheus is the type of a metric provider that speaks Prometheus's HTTP API.
const MetricsPrometheus = "prometheus"

// A Metrics is a named metric provider.
type Metrics struct {
	Pos      sluice.Position
	Name     string
	Type     string // MetricsPrometheus
	URL      string
	Username string
	Password Source // with Username
	Bearer   Source // instead of both
	CAFile   string // PEM: certificates to trust besides the system's
}

// A Source says where to find a secret value. Exactly one of Env and File is set; the zero Source names nothing.
type Source struct {
	Pos  sluice.Position
	Env  string
	File string
}

// IsSet reports whether s names a place.
func (s Source) IsSet() bool { return s.Env != "" || s.File != "" }

// A Repository is where checkpoints are kept.
type Repository struct {
	Path     string // "": in the state directory
	S3       *S3    // a bucket instead of a directory
	Password Source // unset: derived from the state directory's key
}

// An S3 is a place in a bucket.
type S3 struct {
	Pos       sluice.Position
	Endpoint  string // URL
	Bucket    string
	Prefix    string // of the names of all objects
	Region    string
	AccessKey Source
	SecretKey Source
	CAFile    string // PEM: certificates to trust instead of the system's
}

// Webhooks says how webhooks are called and called back.
type Webhooks struct {
	CallbackAddress string            // where Sluice listens for callbacks
	CallbackURL     string            // how others reach that address; "": the address itself
	Allow           []string          // hosts that may be called although they are this machine or link-local
	Replace         map[string]string // base URLs to call instead of others
	CAFile          string            // PEM: certificates to trust besides the system's
}

// DefaultCallbackAddress is where Sluice listens for callbacks by default: on this machine, on any free port.
const DefaultCallbackAddress = "127.0.0.1:0"

// Default returns the configuration without a sluice.yaml: one account "local" without images.
func Default() *Config {
	return &Config{
		Accounts: map[string]Account{AccountLocal: {Name: AccountLocal, Type: AccountLocal, Images: map[string]Image{}}},
		Metrics:  map[string]Metrics{},
		Secrets:  map[string]Source{},
		Webhooks: Webhooks{CallbackAddress: DefaultCallbackAddress},
		Server:   Server{Listen: DefaultListen},
	}
}

// ValidURL reports whether s is an absolute http or https URL with a host.
func ValidURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
