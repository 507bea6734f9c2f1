// The node types and fields that somebody here asks about, of all three grammars, as small numbers.
//
// Tree-sitter's own numbers differ from grammar to grammar and version to version, and its names are strings; a switch
// needs neither. What is not in these lists is Kind::other and Field::none.
#pragma once
#include <cstdint>

namespace hotcell::validate {

// clang-format off
#define HOTCELL_NODE_KINDS(X)                                                                                         \
  /* several languages */                                                                                             \
  X(identifier) X(string) X(escape_sequence) X(parenthesized_expression) X(import_statement) X(for_statement)         \
  X(while_statement) X(if_statement) X(function_definition) X(number) X(array) X(pair) X(comment) X(subscript)        \
  X(expression_statement) X(string_content) X(ternary_expression) X(binary_expression)                                \
  /* Python */                                                                                                        \
  X(module) X(import_from_statement) X(future_import_statement) X(aliased_import) X(dotted_name) X(relative_import)   \
  X(wildcard_import) X(attribute) X(slice) X(call) X(argument_list) X(keyword_argument) X(list_splat)                 \
  X(dictionary_splat) X(string_start) X(string_end) X(interpolation) X(concatenated_string) X(binary_operator)        \
  X(assignment) X(augmented_assignment) X(named_expression) X(class_definition) X(lambda) X(parameters)               \
  X(lambda_parameters) X(default_parameter) X(typed_parameter) X(typed_default_parameter) X(list_splat_pattern)       \
  X(dictionary_splat_pattern) X(pattern_list) X(tuple_pattern) X(list_pattern) X(as_pattern) X(as_pattern_target)     \
  X(with_item) X(except_clause) X(for_in_clause) X(list_comprehension) X(set_comprehension)                           \
  X(dictionary_comprehension) X(generator_expression) X(global_statement) X(nonlocal_statement) X(block)              \
  X(decorated_definition) X(delete_statement) X(case_pattern) X(tuple) X(list) X(expression_list) X(dictionary)       \
  X(conditional_expression) X(boolean_operator) X(await) X(integer) X(unary_operator) X(exec_statement)               \
  X(print_statement) X(type) X(format_expression)                                                                     \
  /* JavaScript */                                                                                                    \
  X(program) X(import_clause) X(named_imports) X(import_specifier) X(namespace_import) X(lexical_declaration)         \
  X(variable_declaration) X(variable_declarator) X(object_pattern) X(pair_pattern) X(object_assignment_pattern)       \
  X(shorthand_property_identifier_pattern) X(shorthand_property_identifier) X(rest_pattern) X(array_pattern)          \
  X(assignment_pattern) X(function_declaration) X(function_expression) X(generator_function)                          \
  X(generator_function_declaration) X(arrow_function) X(method_definition) X(class_declaration)                       \
  X(formal_parameters) X(statement_block) X(class_static_block) X(call_expression) X(new_expression)                  \
  X(member_expression) X(subscript_expression) X(arguments) X(await_expression) X(sequence_expression)                \
  X(template_string) X(template_substitution) X(string_fragment) X(property_identifier) X(assignment_expression)      \
  X(augmented_assignment_expression) X(for_in_statement) X(catch_clause) X(import) X(export_statement)                \
  X(export_clause) X(export_specifier) X(object) X(spread_element) X(regex) X(computed_property_name)                 \
  /* Bash */                                                                                                          \
  X(command) X(command_name) X(word) X(raw_string) X(ansi_c_string) X(translated_string) X(concatenation)             \
  X(simple_expansion) X(expansion) X(command_substitution) X(process_substitution) X(variable_assignment)             \
  X(variable_name) X(special_variable_name) X(declaration_command) X(redirected_statement) X(file_redirect)           \
  X(heredoc_redirect) X(heredoc_body) X(heredoc_start) X(herestring_redirect) X(pipeline) X(subshell)                 \
  X(compound_statement) X(do_group) X(c_style_for_statement) X(brace_expression) X(unset_command)

#define HOTCELL_NODE_FIELDS(X)                                                                                        \
  X(name) X(alias) X(module_name) X(function) X(arguments) X(object) X(attribute) X(property) X(value) X(subscript)   \
  X(index) X(left) X(right) X(body) X(parameters) X(parameter) X(key) X(source) X(constructor) X(argument)            \
  X(redirect) X(destination) X(descriptor) X(expression) X(definition) X(condition) X(consequence) X(alternative)     \
  X(variable) X(code) X(initializer) X(type)
// clang-format on

enum class Kind : std::uint8_t {
  other,
  error,           // ERROR: what tree-sitter skipped over
  token,           // punctuation and keywords; most are left out of the outline
  operator_token,  // the operator of an expression or of a redirection
  ampersand,       // Bash's "&"
#define X(name) name,
  HOTCELL_NODE_KINDS(X)
#undef X
};

enum class Field : std::uint8_t {
  none,
  operator_field,
#define X(name) name,
  HOTCELL_NODE_FIELDS(X)
#undef X
};

}  // namespace hotcell::validate
