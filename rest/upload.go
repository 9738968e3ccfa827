package rest

import (
	"encoding/json"
	"fmt"

	"ream/catalog"
	"ream/content"
)

func uploadRequest(in *object) (catalog.UploadRequest, error) {
	request := catalog.UploadRequest{
		Repository:     id[content.RepositoryID](in, "repository", "repository"),
		Files:          in.uploadedFiles(),
		Priority:       in.priority(),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

// uploadedFiles takes files that were uploaded, with the paths that they go to.
func (o *object) uploadedFiles() []catalog.UploadedFile {
	const name = "files"
	var all []map[string]json.RawMessage
	if !o.take(name, &all, `an array of objects, such as {"path": "dir/a", "upload": "upload-12"}`) {
		o.fail(name, `it is missing: send [{"path": "dir/a", "upload": "upload-12"}]`)
		return nil
	}
	files := make([]catalog.UploadedFile, len(all))
	for i, fields := range all {
		one := &object{inside: o.path(fmt.Sprintf("%s.%d", name, i)), fields: fields}
		files[i] = catalog.UploadedFile{Path: one.text("path"), Upload: id[content.UploadID](one, "upload", "upload"), SHA256: one.digest("sha256")}
		if err := one.done(); err != nil && o.err == nil {
			o.err = err
		}
	}
	return files
}
