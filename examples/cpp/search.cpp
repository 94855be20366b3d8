// Finds the sentence that is nearest in meaning: search EMBEDDING_MODEL.gguf [QUESTION]
#include <algorithm>
#include <iostream>
#include <numeric>

#include <zerohop.hpp>

int main(int argc, char **argv) try {
  if (argc < 2) return 2;
  const zerohop::Engine engine(zerohop::Model("minilm", argv[1]));
  const std::vector<std::string_view> sentences = {
      "The cat sleeps on the sofa.",
      "Water boils at 100 degrees Celsius.",
      "Paris is the capital of France.",
      "Share prices fell sharply today.",
  };
  const zerohop::Vectors vectors = engine.embeddings("minilm", sentences);
  const zerohop::Vectors question = engine.embeddings("minilm", {argc > 2 ? argv[2] : "Where does the pet rest?"});
  std::vector<float> scores;
  for (std::size_t i = 0; i < vectors.size(); i++) {
    scores.push_back(std::inner_product(vectors[i], vectors[i] + vectors.dimensions, question[0], 0.0F));
    std::cout << scores.back() << " " << sentences[i] << "\n";
  }
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  std::cout << "best: " << sentences[static_cast<std::size_t>(best)] << "\n";
} catch (const zerohop::Error &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
