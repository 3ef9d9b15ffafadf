module encrypted-backup-storage/toolchain/providers/vault

go 1.26

require (
	github.com/hashicorp/terraform v0.12.31
	github.com/terraform-providers/terraform-provider-vault v0.0.0
)

replace github.com/terraform-providers/terraform-provider-vault => github.com/hashicorp/terraform-provider-vault v1.9.0

tool github.com/terraform-providers/terraform-provider-vault
