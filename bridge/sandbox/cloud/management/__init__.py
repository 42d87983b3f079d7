"""What RAM's, IMS's and Resource Manager's actions share: how one is declared, read, paged, and refused."""
