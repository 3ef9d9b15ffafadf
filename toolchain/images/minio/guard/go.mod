// For the tests of the guard alone: in a build the files lie in the module github.com/minio/minio.
module github.com/minio/minio

go 1.26
