// Command protogen writes the Go code of .proto files next to them. It is protoc and protoc-gen-go
// in one program, and runs protoc-gen-go-grpc, which is no library, for the services: so generating
// takes nothing but Go and the versions in go.mod:
//
//	protogen ROOT FILE...
//
// FILE is a path below ROOT with slashes, as an import in another .proto file names it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: protogen ROOT FILE...")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string, files []string) error {
	compiled, err := compile(ctx, root, files)
	if err != nil {
		return err
	}
	req := request(compiled, files)
	generated, err := generate(req)
	if err != nil {
		return err
	}
	services, err := generateServices(ctx, req)
	if err != nil {
		return err
	}
	for _, f := range append(generated, services...) {
		path := filepath.Join(root, filepath.FromSlash(f.GetName()))
		//nolint:gosec // source code, no secret
		if err := os.WriteFile(path, []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compile keeps the comments, which become those of the Go code. An error has its file, line and
// column.
func compile(ctx context.Context, root string, files []string) (linker.Files, error) {
	c := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{root}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	return c.Compile(ctx, files...)
}

// request is what protoc would ask its plugins.
func request(compiled linker.Files, files []string) *pluginpb.CodeGeneratorRequest {
	req := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: files,
		Parameter:      proto.String("paths=source_relative"),
	}
	seen := map[string]bool{}
	for _, f := range compiled {
		addWithImports(req, f, seen)
	}
	return req
}

// generate does what protoc-gen-go's main does with a request of protoc.
func generate(req *pluginpb.CodeGeneratorRequest) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	gen, err := protogen.Options{}.New(req)
	if err != nil {
		return nil, err
	}
	gen.SupportedFeatures = internal_gengo.SupportedFeatures
	gen.SupportedEditionsMinimum = internal_gengo.SupportedEditionsMinimum
	gen.SupportedEditionsMaximum = internal_gengo.SupportedEditionsMaximum
	for _, f := range gen.Files {
		if f.Generate {
			internal_gengo.GenerateFile(gen, f)
		}
	}
	return files(gen.Response())
}

// generateServices has the plugin for services answer the request. A file without one brings nothing.
func generateServices(ctx context.Context, req *pluginpb.CodeGeneratorRequest) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	question, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	plugin := exec.CommandContext(ctx, "go", "tool", "protoc-gen-go-grpc")
	plugin.Stdin, plugin.Stderr = bytes.NewReader(question), os.Stderr
	answer, err := plugin.Output()
	if err != nil {
		return nil, fmt.Errorf("protoc-gen-go-grpc: %w", err)
	}
	resp := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(answer, resp); err != nil {
		return nil, fmt.Errorf("protoc-gen-go-grpc: %w", err)
	}
	return files(resp)
}

func files(resp *pluginpb.CodeGeneratorResponse) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	if resp.Error != nil {
		return nil, errors.New(resp.GetError())
	}
	return resp.GetFile(), nil
}

// addWithImports adds f after everything that it imports, which is the order that a generator needs.
func addWithImports(req *pluginpb.CodeGeneratorRequest, f protoreflect.FileDescriptor, seen map[string]bool) {
	if seen[f.Path()] {
		return
	}
	seen[f.Path()] = true
	for i := range f.Imports().Len() {
		addWithImports(req, f.Imports().Get(i).FileDescriptor, seen)
	}
	req.ProtoFile = append(req.ProtoFile, protoutil.ProtoFromFileDescriptor(f))
}
