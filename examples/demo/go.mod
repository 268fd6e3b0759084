module github.com/sluice-cd/sluice/examples/demo

go 1.26.0

require (
	github.com/sluice-cd/sluice v0.0.0
	github.com/sluice-cd/sluice/examples/shop v0.0.0
)

require (
	github.com/golang/snappy v1.0.0 // indirect
	github.com/klauspost/compress v1.18.6 // indirect
	github.com/xdg-go/pbkdf2 v1.0.0 // indirect
	github.com/xdg-go/scram v1.1.2 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	github.com/youmark/pkcs8 v0.0.0-20240726163527-a2c0da244d78 // indirect
	go.mongodb.org/mongo-driver/v2 v2.4.0 // indirect
	golang.org/x/crypto v0.54.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/text v0.40.0 // indirect
)

replace (
	github.com/sluice-cd/sluice => ../..
	github.com/sluice-cd/sluice/examples/shop => ../shop
)
