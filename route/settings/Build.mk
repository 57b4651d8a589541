obj-y += settings.o settings_check.o settings_check_projects.o settings_derive.o settings_table.o settings_table_features.o
obj-y += settings_table_tenants.o settings_table_upstream.o settings_text.o
test-y += settings_test settings_wrong_test
