module encrypted-backup-storage/toolchain/images/vault

go 1.26

require github.com/hashicorp/vault v1.21.1

tool github.com/hashicorp/vault
