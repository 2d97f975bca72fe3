package engine

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ImageCopySpec is an image of another engine. All but the image itself is what
// the image's own declaration says.
type ImageCopySpec struct {
	Image  LocalRef     `star:"image,livename,required,pos" ref:"image.ref,build" doc:"The image, as build(...) or image(...) of another engine returns it. It has the same name here."`
	Tags   []LocalRef   `star:"tags,set" doc:"The build's other names, which it has here too: found out, not given."`
	ID     *string      `star:"id" doc:"The image's ID on the engine that it comes from: found out, not given."`
	Size   *schema.Size `star:"size,local" doc:"How much there is to send at most: found out, not given."`
	Source string       `star:"source,local" doc:"The engine that it comes from: found out, not given."`
}

// SchemaName implements [schema.Named].
func (*ImageCopySpec) SchemaName() (string, string) {
	return "image_copy", "An image that an engine gets from another one, through this program and its SSH connections: for nodes that share no registry. " +
		"Nothing is sent where the engine has an image of that ID. copy_to of build and image declares one for each engine. Images carry no marks: one that is no longer declared is forgotten, not removed."
}

var copySchema = schema.Of(ImageCopySpec{})

// ImageCopyKind is an image that an engine gets from another one.
var ImageCopyKind = &resource.Kind{
	Name:     "image_copy",
	Schema:   copySchema,
	Scope:    "engine",
	Rank:     5,
	Unmarked: true,
	Out: []resource.Output{
		{Name: "ref", Type: "string", Stable: true, Arg: "image", Doc: "The image's name."},
	},
	Check:   checkCopy,
	Same:    sameCopy,
	Effect:  copyEffect,
	Unnamed: nameCopy,
	Handler: copyHandler{},
}

// nameCopy is the name of the image's declaration.
func nameCopy(args value.Struct) string {
	f, _ := copySchema.Field("image")
	switch v := args[f.Index].(type) {
	case value.Ref:
		return v.Address.Name()
	case string:
		return path.Base(repository(v))
	}
	return ""
}

// checkCopy refuses what a copy cannot be called.
func checkCopy(args value.Struct) schema.Problems {
	f, _ := copySchema.Field("image")
	if ref, ok := args[f.Index].(string); ok && strings.Contains(ref, "@") {
		return schema.Problems{{Path: "image", Msg: fmt.Sprintf("%s goes by its digest, which a copy has not: that is the registry's to say", ref),
			Hint: "name it by a tag; where there is a registry, the nodes pull from it"}}
	}
	return nil
}

// sameCopy reports that an image has all of its tags, whatever others it has.
func sameCopy(live *resource.Object, args value.Struct, change schema.Change) bool {
	if change.Field.Name != "tags" {
		return false
	}
	want, _ := args[change.Field.Index].(value.List)
	has, _ := live.Native.([]string)
	return !slices.ContainsFunc(want, func(v value.Value) bool {
		tag, known := v.(string)
		return !known || !slices.Contains(has, tag)
	})
}

// copyEffect says what is done for a difference.
func copyEffect(_ *resource.Object, _ value.Struct, changes []schema.Change, _ bool) string {
	if slices.ContainsFunc(changes, func(c schema.Change) bool { return c.Field.Name == "id" }) {
		return "copies"
	}
	return "tags"
}

// listCopies returns the images by their tags. Of what else they are called, they
// have what is declared.
func listCopies(ctx context.Context, api client.APIClient, info listInfo) ([]*resource.Object, error) {
	all, err := api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	tags, _ := copySchema.Field("tags")
	for _, d := range info.Declared {
		if d.Kind != ImageCopyKind {
			continue
		}
		declared, _ := d.Args[tags.Index].(value.List)
		for _, t := range declared {
			if tag, ok := t.(string); ok {
				asked[tag] = true
			}
		}
	}
	var out []*resource.Object
	for i := range all {
		for _, tag := range all[i].RepoTags {
			if !strings.Contains(tag, "<none>") {
				out = append(out, copyObject(tag, &all[i], asked))
			}
		}
	}
	return out, nil
}

// copyObject is an image under one of its names.
func copyObject(name string, img *image.Summary, asked map[string]bool) *resource.Object {
	spec := &ImageCopySpec{Image: LocalRef(name), ID: &img.ID}
	for _, tag := range img.RepoTags {
		if asked[tag] {
			spec.Tags = append(spec.Tags, LocalRef(tag))
		}
	}
	return &resource.Object{
		Kind: "image_copy", ID: img.ID + " as " + name, Name: name, Args: copySchema.Encode(spec),
		Out: map[string]value.Value{"ref": name}, Native: img.RepoTags,
	}
}
