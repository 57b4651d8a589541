obj-y += json_build.o json_edit.o json_engine.o json_error.o json_escape.o json_schema_check.o json_schema_make.o json_view.o
test-y += json_test json_edit_test json_schema_test
