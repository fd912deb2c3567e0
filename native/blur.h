// The blur of one channel of a part of the grid: along its rows, then along its columns.
#pragma once
#include "grid.h"

namespace {

using planaria::Blur;

class Blurring {
  public:
    // Prepares for a result (height, width): gives the source, (height + side - 1, width + side - 1), to be filled.
    real* begin(int height, int width, int side) {
        height_ = height, width_ = width, side_ = side;
        source_.resize(static_cast<std::size_t>(rows()) * columns() + VL);  // a vector overruns at the end
        return source_.data();
    }
    int rows() const { return height_ + side_ - 1; }
    int columns() const { return width_ + side_ - 1; }

    const real* result(const real* weight, Watch& watch) {
        across_.resize(static_cast<std::size_t>(rows()) * width_ + VL);
        down_.resize(static_cast<std::size_t>(height_) * width_ + VL);
        for (int r = 0; r < rows(); r++) {
            sum(source_.data() + static_cast<std::size_t>(r) * columns(), 1, weight,
                across_.data() + static_cast<std::size_t>(r) * width_);
            watch.did(static_cast<std::size_t>(side_) * width_);
        }
        for (int r = 0; r < height_; r++) {
            const std::size_t at = static_cast<std::size_t>(r) * width_;
            sum(across_.data() + at, width_, weight, down_.data() + at);
            watch.did(static_cast<std::size_t>(side_) * width_);
        }
        return down_.data();
    }

  private:
    // one row, of numbers `apart` from each other; it overruns into the next, which comes later
    void sum(const real* from, int apart, const real* weight, real* to) const {
        for (int q = 0; q < width_; q += VL) {
            vec total = load(from + q) * weight[0];
            for (int k = 1; k < side_; k++)
                total += load(from + q + static_cast<std::ptrdiff_t>(k) * apart) * weight[k];
            store(to + q, total);
        }
    }

    int height_ = 0, width_ = 0, side_ = 1;
    Buffer<real> source_, across_, down_;
};

}  // namespace
